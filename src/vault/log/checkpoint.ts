import { fromHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, parseObjectHeader } from '../codec/object-header.ts';
import { newObject, openObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY } from '../crypto/sealer.ts';
import type { Store } from '../store/store.ts';
import { decodeAdds, decodeFrames, decodeSlots, encodeAdds, encodeFrames, encodeSlots } from './entry-body.ts';
import { sequenceName, sequencesIn } from './sequence.ts';
import { checkFeature, emptyState, type LoggedPoint, noteAhead, type Since, type VaultState } from './state.ts';

/*
 * Checkpoint (FORMAT.md): header 96 | sequence u64 | hash of that entry 32 | sealed state. It saves reading the log, and
 * proves nothing that the log does not: who has none, or a bad one, replays.
 */
const STATE_AT: number = HEADER_SIZE + 8 + 32;

/** Stands for a time that nobody knows. */
const UNKNOWN: number = Number.MAX_SAFE_INTEGER;

export function checkpointPath(sequence: number): string {
  return `ckpt/${sequenceName(sequence)}`;
}

const KEPT = 2;

/** Entries from one checkpoint to the next: so many objects at most are read to open a vault, half of them on average. */
export const EVERY = 32;

/** Those before the newest two are of no use any more. @throws IO */
export async function removeOldCheckpoints(store: Store): Promise<void> {
  for (const old of sequencesIn(await store.list('ckpt')).slice(0, -KEPT)) await store.remove(checkpointPath(old));
}

export function encodeCheckpoint(keys: VaultKeys, random: Random, state: VaultState): Uint8Array {
  const { header, sealer } = newObject(keys, random, 'checkpoint', new Uint8Array(16));
  const clear = new BinaryWriter().bytes(header).u64(state.sequence).bytes(state.head).finish();
  return Buffer.concat([clear, ...sealer.seal(DOMAIN_BODY, 0, clear, encodeState(state))]);
}

/** The state after entry `sequence`. @throws VAULT_DAMAGED, VAULT_NEWER */
export function decodeCheckpoint(keys: VaultKeys, stored: Uint8Array, sequence: number): VaultState {
  const path = checkpointPath(sequence);
  const header = parseObjectHeader(stored, 'checkpoint', path);
  if (stored.byteLength < STATE_AT) throw damaged(path, `is ${stored.byteLength} bytes long`);
  const clear = stored.subarray(0, STATE_AT);
  const fields = new BinaryReader(clear.subarray(HEADER_SIZE), (what) => damaged(path, what));
  if (fields.u64() !== sequence) throw damaged(path, 'has another sequence than its name');
  const head = fields.bytes(32);
  const body = openObject(keys, header, path).unseal(DOMAIN_BODY, 0, clear, stored.subarray(STATE_AT));
  if (!body) throw damaged(path, 'is not authentic');
  const reader = new BinaryReader(body, (what) => damaged(path, what));
  const state = { ...emptyState(head), sequence, hashes: new Map([[sequence, head]]) };
  decodeState(reader, state, path);
  noteAhead(state);
  reader.end();
  return state;
}

/** Hashes of each 32nd entry, so that who was away long compares with what it saw last by a few reads. */
function marksOf({ hashes, sequence }: VaultState): [number, Uint8Array][] {
  return [...hashes].filter(([n]) => n > 0 && n < sequence && n % EVERY === 0).sort(([a], [b]) => a - b);
}

function encodeState(state: VaultState): Uint8Array {
  const to = new BinaryWriter();
  list(to, state.features, (name) => to.text(name));
  list(to, marksOf(state), ([sequence, hash]) => to.u64(sequence).bytes(hash));
  to.u64(state.time);
  const closed = [...state.jobs].flatMap(([job, status]) => (status === 'closed' ? [job] : [])).sort();
  to.u32(closed.length).bytes(fromHex(closed.join('')));
  list(to, state.opened, ([job, { sequence, time, verb }]) => to.bytes(fromHex(job)).u64(sequence).u64(time).u8(verb));
  list(to, [...state.points.values()], (point) => encodePoint(to, state, point));
  list(to, state.segments, ({ segment, size, packs, bytes, sequence, job }) =>
    to.bytes(fromHex(segment)).u64(size).u32(packs).u64(bytes).u64(sequence).bytes(fromHex(job)),
  );
  list(to, state.condemned, ([name, since]) => encodeSince(to, name, since));
  list(to, state.dropped, ([name, since]) => encodeSince(to, name, since));
  list(to, state.quarantined, ([name, { sequence, frames }]) =>
    encodeFrames(to.bytes(fromHex(name)).u64(sequence), frames),
  );
  list(to, state.setAside, ({ sequence, hash }) => to.u64(sequence).bytes(fromHex(hash)));
  list(to, state.protects, ({ sequence, time, retention }) => to.u64(sequence).u64(time).u64(retention));
  encodeSlots(to, state.slots);
  list(to, state.settings, ([key, value]) => to.text(key).blob(value));
  return to.u64(state.floor).u64(state.lastCondemn).u64(state.lastQuarantine).finish();
}

function decodeState(from: BinaryReader, state: VaultState, path: string): void {
  for (let n = from.count(from.u32(), 2); n > 0; n--) {
    const name = from.text();
    checkFeature(name, path);
    state.features.push(name);
  }
  for (let n = from.count(from.u32(), 40); n > 0; n--) state.hashes.set(from.u64(), from.bytes(32));
  state.time = from.u64();
  const job = (): string => from.hex(16);
  const name = (): string => from.hex(32);
  const since = (): Since => ({ sequence: from.u64(), time: from.u64() });
  for (let n = from.count(from.u32(), 16); n > 0; n--) state.jobs.set(job(), 'closed');
  for (let n = from.count(from.u32(), 33); n > 0; n--) {
    const id = job();
    state.jobs.set(id, 'open');
    state.opened.set(id, { ...since(), verb: from.u8() });
  }
  for (let n = from.count(from.u32(), 70); n > 0; n--) decodePoint(from, state);
  for (let n = from.count(from.u32(), 76); n > 0; n--) {
    const added = { segment: name(), size: from.u64(), packs: from.u32(), bytes: from.u64() };
    state.segments.push({ ...added, sequence: from.u64(), job: job() });
  }
  for (let n = from.count(from.u32(), 48); n > 0; n--) state.condemned.set(name(), since());
  for (let n = from.count(from.u32(), 48); n > 0; n--) state.dropped.set(name(), since());
  for (let n = from.count(from.u32(), 42); n > 0; n--) {
    state.quarantined.set(name(), { sequence: from.u64(), frames: decodeFrames(from) });
  }
  for (let n = from.count(from.u32(), 40); n > 0; n--) state.setAside.push({ sequence: from.u64(), hash: name() });
  for (let n = from.count(from.u32(), 24); n > 0; n--) state.protects.push({ ...since(), retention: from.u64() });
  state.slots = decodeSlots(from);
  for (let n = from.count(from.u32(), 6); n > 0; n--) state.settings.set(from.text(), from.blob());
  state.floor = from.u64();
  state.lastCondemn = from.u64();
  state.lastQuarantine = from.u64();
}

function encodePoint(to: BinaryWriter, { doubted }: VaultState, point: LoggedPoint): void {
  const { sequence, time, tool, job, adds, manifest, label, pinned = 0, forgotten } = point;
  to.bytes(fromHex(point.point)).u64(sequence).u64(time).text(tool).bytes(fromHex(job));
  encodeAdds(to, adds)
    .blob(manifest)
    .u8(label ? 1 : 0)
    .blob(label ?? new Uint8Array(0))
    .u64(pinned);
  to.u64(forgotten?.sequence ?? 0)
    .u64(forgotten ? (forgotten.time ?? UNKNOWN) : 0)
    .u8(doubted.has(point.point) ? 1 : 0);
}

function decodePoint(from: BinaryReader, { points, doubted }: VaultState): void {
  const id = from.hex(8);
  const facts = { sequence: from.u64(), time: from.u64(), tool: from.text(), job: from.hex(16) };
  const point: LoggedPoint = { point: id, ...facts, adds: decodeAdds(from), manifest: from.blob() };
  const hasLabel = from.u8() === 1;
  const label = from.blob();
  const pinned = from.u64();
  const [sequence, time] = [from.u64(), from.u64()];
  if (hasLabel) point.label = label;
  if (pinned > 0) point.pinned = pinned;
  if (sequence > 0) point.forgotten = { sequence, time: time === UNKNOWN ? null : time };
  if (from.u8() === 1) doubted.add(id);
  points.set(id, point);
}

function encodeSince(to: BinaryWriter, name: string, { sequence, time }: Since): void {
  to.bytes(fromHex(name)).u64(sequence).u64(time);
}

function list<T>(
  to: BinaryWriter,
  all: Iterable<T> & ({ size: number } | { length: number }),
  each: (one: T) => void,
): void {
  to.u32('size' in all ? all.size : all.length);
  for (const one of all) each(one);
}
