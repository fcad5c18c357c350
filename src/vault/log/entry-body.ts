import { fromHex } from '../../base/hex.ts';
import type { BinaryReader, BinaryWriter } from '../binary.ts';
import type { BadFrames } from './bad-frames.ts';

/*
 * What an entry says, by its type (FORMAT.md, log entry). Ids of points and jobs and names of files are hex.
 */

/** A segment that an entry adds to the index, and how many packs of how many bytes it covers. */
export interface Adds {
  segment: string;
  size: number;
  packs: number;
  bytes: number;
}

/** A key slot: name of its file, BLAKE3 of its bytes, and what its owner calls it. */
export interface Slot {
  name: string;
  hash: string;
  /** 1 passphrase, 2 key file. */
  kdf: number;
  /** Milliseconds since 1970 UTC. */
  added: number;
  label: string;
}

export type EntryBody =
  | { type: 'init'; vaultHash: Uint8Array; slots: { name: string; hash: string }[]; certificateSeed: Uint8Array }
  | { type: 'open'; verb: number }
  | { type: 'point'; point: string; adds: Adds[]; manifest: Uint8Array }
  | { type: 'abandon'; job: string }
  | { type: 'forget'; points: string[] }
  | { type: 'unforget'; points: string[] }
  /** `until`: milliseconds since 1970 UTC; 0: not pinned any more. */
  | { type: 'pin'; point: string; until: number }
  | { type: 'protect'; retention: number }
  | { type: 'condemn'; points: string[]; packs: string[] }
  | { type: 'swept'; packs: string[]; segments: string[] }
  | { type: 'repack'; adds: Adds[]; packs: string[] }
  | { type: 'index-merge'; adds: Adds[]; dropped: string[] }
  | { type: 'quarantine'; pack: string; frames: BadFrames }
  /** Of a quarantined pack only these frames are bad still. */
  | { type: 'recovered'; pack: string; frames: BadFrames }
  | { type: 'set-aside'; sequence: number; hash: string }
  | { type: 'key'; slots: Slot[] }
  | { type: 'feature'; name: string }
  | { type: 'setting'; key: string; value: Uint8Array }
  /** What became known of a point after it was made; opaque here. */
  | { type: 'label'; point: string; label: Uint8Array }
  /** Of a type that this version does not know and may pass over. */
  | { type: 'advisory' };

type BodyType = EntryBody['type'];
type BodyOf<Type extends BodyType> = Extract<EntryBody, { type: Type }>;

/** `quarantine`, `recovered` and `set-aside` are one type on disk, told apart by its first byte. */
const TYPES: Readonly<Record<BodyType, number>> = {
  init: 1,
  open: 2,
  point: 3,
  abandon: 4,
  forget: 5,
  unforget: 6,
  pin: 7,
  protect: 8,
  condemn: 9,
  swept: 10,
  advisory: 255,
  repack: 11,
  'index-merge': 12,
  quarantine: 13,
  recovered: 13,
  'set-aside': 13,
  key: 14,
  feature: 15,
  setting: 16,
  label: 18,
};
const QUARANTINE_PACK = 1;
const QUARANTINE_ENTRY = 2;
const RECOVERED_PACK = 3;
const ALL_FRAMES = 0xffff;

/** Whoever does not know these may pass them over. */
const ADVISORY: readonly BodyType[] = ['advisory', 'label', 'swept', 'setting'];

/** More packs are told by several entries. */
export const MOST_PACKS = 16_384;

export function isCritical({ type }: EntryBody): boolean {
  return !ADVISORY.includes(type);
}

export function typeNumber({ type }: EntryBody): number {
  return TYPES[type];
}

/** The fields behind the type, flags, time and tool. */
export function encodeFields(to: BinaryWriter, body: EntryBody): BinaryWriter {
  return (ENCODERS[body.type] as (to: BinaryWriter, body: EntryBody) => BinaryWriter)(to, body);
}

type Encoders = { [Type in BodyType]: (to: BinaryWriter, body: BodyOf<Type>) => BinaryWriter };

const ENCODERS: Encoders = {
  init: (to, { vaultHash, slots, certificateSeed }) => {
    to.bytes(vaultHash).u8(slots.length);
    for (const { name, hash } of slots) to.text(name).bytes(fromHex(hash));
    return to.bytes(certificateSeed);
  },
  open: (to, { verb }) => to.u8(verb),
  point: (to, { point, adds, manifest }) => encodeAdds(to.bytes(fromHex(point)), adds).blob(manifest),
  abandon: (to, { job }) => to.bytes(fromHex(job)),
  forget: (to, { points }) => encodeNames(to, points),
  unforget: (to, { points }) => encodeNames(to, points),
  pin: (to, { point, until }) => to.bytes(fromHex(point)).u64(until),
  protect: (to, { retention }) => to.u64(retention),
  condemn: (to, { points, packs }) => encodeNames(encodeNames(to, points), packs),
  swept: (to, { packs, segments }) => encodeNames(encodeNames(to, packs), segments),
  repack: (to, { adds, packs }) => encodeNames(encodeAdds(to, adds), packs),
  'index-merge': (to, { adds, dropped }) => encodeNames(encodeAdds(to, adds), dropped),
  quarantine: (to, { pack, frames }) => encodeFrames(to.u8(QUARANTINE_PACK).bytes(fromHex(pack)), frames),
  recovered: (to, { pack, frames }) => encodeFrames(to.u8(RECOVERED_PACK).bytes(fromHex(pack)), frames),
  'set-aside': (to, { sequence, hash }) => to.u8(QUARANTINE_ENTRY).u64(sequence).bytes(fromHex(hash)),
  key: (to, { slots }) => encodeSlots(to, slots),
  feature: (to, { name }) => to.text(name),
  setting: (to, { key, value }) => to.text(key).blob(value),
  label: (to, { point, label }) => to.bytes(fromHex(point)).blob(label),
  advisory: (to) => to,
};

/** undefined where this version does not know the type. */
export function decodeFields(from: BinaryReader, type: number): EntryBody | undefined {
  switch (type) {
    case 1: {
      const vaultHash = from.bytes(32);
      const slots = Array.from({ length: from.u8() }, () => ({ name: from.text(), hash: from.hex(32) }));
      return { type: 'init', vaultHash, slots, certificateSeed: from.bytes(32) };
    }
    case 2:
      return { type: 'open', verb: from.u8() };
    case 3:
      return { type: 'point', point: from.hex(8), adds: decodeAdds(from), manifest: from.blob() };
    case 4:
      return { type: 'abandon', job: from.hex(16) };
    case 5:
      return { type: 'forget', points: decodeNames(from, 8) };
    case 6:
      return { type: 'unforget', points: decodeNames(from, 8) };
    case 7:
      return { type: 'pin', point: from.hex(8), until: from.u64() };
    case 8:
      return { type: 'protect', retention: from.u64() };
    case 9:
      return { type: 'condemn', points: decodeNames(from, 8), packs: decodeNames(from, 32) };
    case 10:
      return { type: 'swept', packs: decodeNames(from, 32), segments: decodeNames(from, 32) };
    case 11:
      return { type: 'repack', adds: decodeAdds(from), packs: decodeNames(from, 32) };
    case 12:
      return { type: 'index-merge', adds: decodeAdds(from), dropped: decodeNames(from, 32) };
    case 13:
      return decodeQuarantine(from);
    case 14:
      return { type: 'key', slots: decodeSlots(from) };
    case 15:
      return { type: 'feature', name: from.text() };
    case 16:
      return { type: 'setting', key: from.text(), value: from.blob() };
    case 18:
      return { type: 'label', point: from.hex(8), label: from.blob() };
    default:
      return undefined;
  }
}

function decodeQuarantine(from: BinaryReader): EntryBody | undefined {
  switch (from.u8()) {
    case QUARANTINE_PACK:
      return { type: 'quarantine', pack: from.hex(32), frames: decodeFrames(from) };
    case QUARANTINE_ENTRY:
      return { type: 'set-aside', sequence: from.u64(), hash: from.hex(32) };
    case RECOVERED_PACK:
      return { type: 'recovered', pack: from.hex(32), frames: decodeFrames(from) };
    default:
      return undefined;
  }
}

export function encodeAdds(to: BinaryWriter, adds: readonly Adds[]): BinaryWriter {
  to.u16(adds.length);
  for (const { segment, size, packs, bytes } of adds) to.bytes(fromHex(segment)).u64(size).u32(packs).u64(bytes);
  return to;
}

export function decodeAdds(from: BinaryReader): Adds[] {
  return Array.from({ length: from.count(from.u16(), 52) }, () => ({
    segment: from.hex(32),
    size: from.u64(),
    packs: from.u32(),
    bytes: from.u64(),
  }));
}

/** Names or ids of one length. */
function encodeNames(to: BinaryWriter, names: readonly string[]): BinaryWriter {
  return to.u16(names.length).bytes(fromHex(names.join('')));
}

function decodeNames(from: BinaryReader, length: number): string[] {
  return Array.from({ length: from.count(from.u16(), length) }, () => from.hex(length));
}

export function encodeFrames(to: BinaryWriter, frames: BadFrames): BinaryWriter {
  if (frames === 'all') return to.u16(ALL_FRAMES);
  to.u16(frames.length);
  for (const frame of frames) to.u16(frame);
  return to;
}

export function decodeFrames(from: BinaryReader): BadFrames {
  const count = from.u16();
  return count === ALL_FRAMES ? 'all' : Array.from({ length: from.count(count, 2) }, () => from.u16());
}

export function encodeSlots(to: BinaryWriter, slots: readonly Slot[]): BinaryWriter {
  to.u8(slots.length);
  for (const { name, hash, kdf, added, label } of slots)
    to.text(name).bytes(fromHex(hash)).u8(kdf).u64(added).text(label);
  return to;
}

export function decodeSlots(from: BinaryReader): Slot[] {
  return Array.from({ length: from.u8() }, () => ({
    name: from.text(),
    hash: from.hex(32),
    kdf: from.u8(),
    added: from.u64(),
    label: from.text(),
  }));
}
