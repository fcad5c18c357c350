/*
 * XenServer's batmap header: 512 bytes right after the padded block table, creator `tap`. Readers may ignore it, unless
 * it says that the image is encrypted.
 *
 * offset size field
 *      0    8 cookie `tdbatmap`
 *      8    8 map offset, bytes;  16 4 map size, sectors;  20 4 version;  24 4 checksum;  28 1 marker
 *     29    1 key hash present: 1 = the blocks are encrypted (XTS)
 *     30   64 nonce and hash of the key
 */
import { VhdvaultError } from '../../base/errors.ts';
import type { ByteSource } from '../../io/source.ts';
import { batBytes } from './bat.ts';
import type { DynamicHeader } from './dynamic-header.ts';
import type { Footer } from './footer.ts';
import { asciiAt, viewOf } from './where.ts';

/**
 * Refuses images whose blocks are encrypted.
 * @throws VHD_ENCRYPTED
 */
export async function checkEncryption(source: ByteSource, footer: Footer, header: DynamicHeader): Promise<void> {
  if (!footer.creatorApplication.startsWith('tap')) return;
  const offset = header.tableOffset + batBytes(header.maxTableEntries);
  if (offset + 512 > source.size) return;
  const bytes = new Uint8Array(512);
  await source.read(offset, bytes);
  if (asciiAt(viewOf(bytes), 0, 8) !== 'tdbatmap' || bytes[29] !== 1) return;
  throw new VhdvaultError('VHD_ENCRYPTED', `${source.path} is encrypted by XenServer`, {
    hint: 'export the disk by XenServer itself, which has the key',
    details: { path: source.path, offset: offset + 29, found: 1 },
  });
}
