import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, TAG_SIZE } from '../codec/object-header.ts';
import { DOMAIN_DIRECTORY, type Sealer } from '../crypto/sealer.ts';

/*
 * The end of a pack: sealed directory, then the trailer of 24 bytes in clear
 *   directory entry, 48 bytes: id 32, offset u32, stored length u32, raw length u32, codec u8, kind u8, u16 0
 *   trailer: u32 length of the sealed directory, u32 count, u64 0, magic "VVPACKTR"
 */
export const TRAILER_SIZE = 24;
export const MAX_FRAMES = 16_384;
const ENTRY_SIZE = 48;
const MAGIC = new TextEncoder().encode('VVPACKTR');

export interface DirectoryEntry {
  id: Uint8Array;
  offset: number;
  /** With the tag. */
  storedLength: number;
  rawLength: number;
  codec: number;
  kind: number;
}

/** Directory and trailer of a pack, in parts. */
export function encodeDirectory(sealer: Sealer, header: Uint8Array, entries: readonly DirectoryEntry[]): Uint8Array[] {
  const plain = new BinaryWriter();
  for (const { id, offset, storedLength, rawLength, codec, kind } of entries) {
    plain.bytes(id).u32(offset).u32(storedLength).u32(rawLength).u8(codec).u8(kind).u16(0);
  }
  const sealed = sealer.seal(DOMAIN_DIRECTORY, 0, header, plain.finish());
  const length = sealed.reduce((sum, part) => sum + part.byteLength, 0);
  return [...sealed, new BinaryWriter().u32(length).u32(entries.length).u64(0).bytes(MAGIC).finish()];
}

/** Reads the trailer: where the sealed directory begins and how long it is. @throws VAULT_DAMAGED */
export function parseTrailer(
  trailer: Uint8Array,
  size: number,
  path: string,
): { offset: number; length: number; count: number } {
  const reader = new BinaryReader(trailer, (what) => damaged(path, what));
  const length = reader.u32();
  const count = reader.u32();
  if (reader.u64() !== 0 || Buffer.compare(reader.bytes(8), MAGIC) !== 0) throw damaged(path, 'has no pack trailer');
  const offset = size - TRAILER_SIZE - length;
  if (count > MAX_FRAMES || length !== count * ENTRY_SIZE + TAG_SIZE || offset < HEADER_SIZE) {
    throw damaged(path, `has a trailer for ${count} frames that does not fit`);
  }
  return { offset, length, count };
}

/** Opens a sealed directory and checks that its frames fill the pack without a gap. @throws VAULT_DAMAGED */
export function decodeDirectory(options: {
  sealer: Sealer;
  header: Uint8Array;
  sealed: Uint8Array;
  /** Where the frames end. */
  end: number;
  path: string;
}): DirectoryEntry[] {
  const { sealer, header, sealed, end, path } = options;
  const plain = sealer.unseal(DOMAIN_DIRECTORY, 0, header, sealed);
  if (!plain) throw damaged(path, 'has a directory that is not authentic');
  const reader = new BinaryReader(plain, (what) => damaged(path, what));
  const entries: DirectoryEntry[] = [];
  let next = HEADER_SIZE;
  while (reader.left > 0) {
    const id = reader.bytes(32);
    const entry = {
      id,
      offset: reader.u32(),
      storedLength: reader.u32(),
      rawLength: reader.u32(),
      codec: reader.u8(),
      kind: reader.u8(),
    };
    if (reader.u16() !== 0 || entry.offset !== next || entry.storedLength < TAG_SIZE)
      throw damaged(path, 'has a directory with gaps');
    next += entry.storedLength;
    entries.push(entry);
  }
  if (next !== end) throw damaged(path, `has a directory that ends at byte ${next}, its frames at ${end}`);
  return entries;
}
