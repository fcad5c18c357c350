import { fromHex, toHex } from '../../base/hex.ts';

/** The 16 bytes of a unique id as text, `7af49fcb-...`: big-endian throughout, unlike a Windows GUID in memory. */
export function formatUniqueId(id: Uint8Array): string {
  const hex = toHex(id);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The 16 bytes of a unique id that `formatUniqueId` wrote. */
export function parseUniqueId(text: string): Uint8Array {
  return fromHex(text.replaceAll('-', ''));
}

export function isNullId(id: Uint8Array): boolean {
  return id.every((byte) => byte === 0);
}

/** 16 random bytes with the marks of a version 4 UUID. */
export function randomUniqueId(random: { bytes(length: number): Uint8Array }): Uint8Array {
  const id = Uint8Array.from(random.bytes(16));
  id[6] = (id[6]! & 0x0f) | 0x40;
  id[8] = (id[8]! & 0x3f) | 0x80;
  return id;
}
