import { TAG_SIZE } from '../codec/object-header.ts';

/*
 * Segment (FORMAT.md): header | sealed pages of 1,365 entries | sealed tail | trailer
 *   entry, 48 bytes: id 32, pack ordinal u32, offset u32, stored length u32, frame u16, codec u8, kind u8
 *   tail: u32 packs x {name 32, size u64, frames u32}, u32 pages x {first id 32}
 *   trailer, 24 bytes: u32 length of the sealed tail, u32 pages, u64 entries, magic "VVSEGMTR"
 */
export const ENTRY_SIZE = 48;
export const PAGE_ENTRIES = 1365;
export const PAGE_STORED: number = PAGE_ENTRIES * ENTRY_SIZE + TAG_SIZE;
export const TRAILER_SIZE = 24;
export const MAGIC: Uint8Array = new TextEncoder().encode('VVSEGMTR');

export const MAX_SEGMENT_ENTRIES: number = 16 * 1024 * 1024;

/** A pack that a segment covers. */
export interface SegmentPack {
  name: string;
  size: number;
  frames: number;
}

export interface SegmentEntry {
  id: Uint8Array;
  /** Ordinal of the pack in the segment. */
  pack: number;
  offset: number;
  storedLength: number;
  ordinal: number;
  codec: number;
  kind: number;
}
