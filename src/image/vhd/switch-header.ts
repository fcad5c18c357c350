import { roundUp, SECTOR } from '../../base/units.ts';
import { type BlockFile, begin, extend, makeDurable, put, setFileSize, usedEnd } from './block-file.ts';
import { type DynamicHeader, encodeDynamicHeader, HEADER_BYTES } from './dynamic-header.ts';
import { encodeFooter, FOOTER_BYTES, type Footer } from './footer.ts';

/**
 * Gives an image another header and footer, in one step: the new header is written behind the end of the file, before a footer
 * that is still the old one; once that is durable, one sector, the footer, is made to point to it. From then on the file has
 * its new form, for the footer at the end decides. The rest only brings both back to where they are usually found, and at
 * every moment the footer at the end leads to a whole header, whichever sectors the power leaves.
 */
export async function switchHeader(file: BlockFile, header: DynamicHeader, footer: Footer): Promise<void> {
  await begin(file);
  await extend(file, file.end);
  const home = file.footer.dataOffset!;
  // A footer that is found at the end of the file may stand anywhere, a header may not.
  const away = roundUp(file.limit + FOOTER_BYTES, SECTOR);
  const headerBytes = encodeDynamicHeader(header);
  const settled = { ...footer, dataOffset: home };
  await extend(file, away + HEADER_BYTES);
  await put(file, away, headerBytes);
  await makeDurable(file);
  // Until all of it is at home, no other footer may be written.
  file.begun = false;
  await put(file, file.limit, encodeFooter({ ...footer, dataOffset: away }));
  await makeDurable(file);
  file.header = header;
  file.footer = settled;
  file.end = usedEnd(file);
  await put(file, home, headerBytes);
  await makeDurable(file);
  await put(file, 0, encodeFooter(settled));
  await makeDurable(file);
  file.begun = true;
  await cutBehind(file, roundUp(file.end, SECTOR));
}

/** Lets the file end at `limit`, behind which nothing is in use: the footer first, so that there is always one at the end. */
export async function cutBehind(file: BlockFile, limit: number): Promise<void> {
  await put(file, limit, encodeFooter(file.footer));
  await makeDurable(file);
  await setFileSize(file, limit + FOOTER_BYTES);
  await makeDurable(file);
  file.limit = limit;
  file.clean = limit + FOOTER_BYTES;
}
