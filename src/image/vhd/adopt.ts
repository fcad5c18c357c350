import { roundUp, SECTOR } from '../../base/units.ts';
import { type BlockFile, clear, extend, makeDurable, put } from './block-file.ts';
import { layoutNames, type NamedParent } from './name-parent.ts';
import { switchHeader } from './switch-header.ts';

/** Gives a differencing image another parent. @throws NO_SPACE, IO */
export async function adopt(file: BlockFile, parentUniqueId: Uint8Array, parent: NamedParent): Promise<void> {
  const old = file.header.locators;
  const offset = roundUp(file.end, SECTOR);
  const { fields, bytes } = layoutNames(parent, offset);
  await extend(file, offset + bytes.byteLength);
  await put(file, offset, bytes);
  await makeDurable(file);
  await switchHeader(file, { ...file.header, ...fields, parentUniqueId, parentTimestamp: 0 }, file.footer);
  for (const { dataOffset, dataLength } of old) {
    if (dataLength > 0) await clear(file, { start: dataOffset, end: roundUp(dataOffset + dataLength, SECTOR) });
  }
}
