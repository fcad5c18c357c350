import { VhdvaultError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { BinaryReader, BinaryWriter, MAX_TEXT } from '../vault/binary.ts';

export type PointType = 'full' | 'incremental' | 'differential';
export type Consistency = 'crash' | 'file' | 'app';
export interface Counts {
  read: number;
  changed: number;
  stored: number;
}

/** One disk of a point. Sizes in bytes, root in hex. */
export interface ManifestDisk {
  name: string;
  source: {
    address: string;
    format: string;
    blockSize: number | null;
    uniqueId: string | null;
    creator: string | null;
  };
  size: number;
  blockSize: number;
  root: string;
  pages: number;
  blocks: Counts;
  bytes: Counts;
}

/** A recovery point, complete on its own (J6). Times are milliseconds since 1970 UTC. */
export interface Manifest {
  item: string;
  type: PointType;
  base: string | null;
  consistency: Consistency;
  started: number;
  hooks: { outcome: 'none' | 'succeeded' | 'failed'; output: string };
  tags: string[];
  note: string;
  bootDisk: string;
  reason: string;
  disks: ManifestDisk[];
}

const TYPES = ['full', 'incremental', 'differential'] as const;
const CONSISTENCIES = ['crash', 'file', 'app'] as const;
const OUTCOMES = ['none', 'succeeded', 'failed'] as const;
const NO_ID = '0'.repeat(32);
const MAX_TAGS = 255;
const MAX_TAG = 64;

/**
 * What the caller may say about a point must fit into its manifest; asked before anything is read.
 * @throws USAGE
 */
export function checkWords({ tags, note }: Pick<Manifest, 'tags' | 'note'>): void {
  const long = tags.find((tag) => Buffer.byteLength(tag) > MAX_TAG);
  if (long !== undefined) {
    throw new VhdvaultError('USAGE', `the tag "${long}" is longer than ${MAX_TAG} bytes`, { hint: 'shorten it' });
  }
  if (tags.length > MAX_TAGS) {
    throw new VhdvaultError('USAGE', `${tags.length} tags are more than ${MAX_TAGS}`, { hint: 'use fewer' });
  }
  if (Buffer.byteLength(note) <= MAX_TEXT) return;
  throw new VhdvaultError('USAGE', `the note is longer than ${MAX_TEXT} bytes`, { hint: 'shorten it' });
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { item, type, base, consistency, started, hooks, tags, note, bootDisk, reason, disks } = manifest;
  const out = new BinaryWriter()
    .text(item)
    .u8(TYPES.indexOf(type) + 1)
    .u8(base === null ? 0 : 1)
    .bytes(fromHex(base ?? '0'.repeat(16)))
    .u8(CONSISTENCIES.indexOf(consistency) + 1)
    .u64(started)
    .u8(OUTCOMES.indexOf(hooks.outcome))
    .text(hooks.output)
    .u8(tags.length);
  for (const tag of tags) out.text(tag);
  out.text(note).text(bootDisk).text(reason).u16(disks.length);
  for (const disk of disks) encodeDisk(out, disk);
  return out.finish();
}

function encodeDisk(
  out: BinaryWriter,
  { name, source, size, blockSize, root, pages, blocks, bytes }: ManifestDisk,
): void {
  out.text(name).text(source.address).text(source.format);
  out
    .u32(source.blockSize ?? 0)
    .bytes(fromHex(source.uniqueId ?? NO_ID))
    .text(source.creator ?? '');
  out.u64(size).u32(blockSize).bytes(fromHex(root)).u64(pages);
  out.u64(blocks.read).u64(blocks.changed).u64(blocks.stored);
  out.u64(bytes.read).u64(bytes.changed).u64(bytes.stored);
}

/** @throws VAULT_DAMAGED; `where` names the log entry in it */
export function parseManifest(stored: Uint8Array, where: string): Manifest {
  const fail = (what: string): Error =>
    new VhdvaultError('VAULT_DAMAGED', `the manifest in ${where} ${what}`, {
      hint: 'run `vhdvault verify`',
      details: { path: where },
    });
  const from = new BinaryReader(stored, fail);
  const pick = <T>(choices: readonly T[], n: number): T => {
    const choice = choices[n];
    if (choice === undefined) throw fail(`has an unknown value ${n}`);
    return choice;
  };
  const item = from.text();
  const type = pick(TYPES, from.u8() - 1);
  const hasBase = from.u8() === 1;
  const basePoint = toHex(from.bytes(8));
  const consistency = pick(CONSISTENCIES, from.u8() - 1);
  const started = from.u64();
  const hooks = { outcome: pick(OUTCOMES, from.u8()), output: from.text() };
  const tags = Array.from({ length: from.u8() }, () => from.text());
  const note = from.text();
  const bootDisk = from.text();
  const reason = from.text();
  const disks = Array.from({ length: from.count(from.u16(), 100) }, () => parseDisk(from));
  from.end();
  return {
    item,
    type,
    base: hasBase ? basePoint : null,
    consistency,
    started,
    hooks,
    tags,
    note,
    bootDisk,
    reason,
    disks,
  };
}

function parseDisk(from: BinaryReader): ManifestDisk {
  const name = from.text();
  const address = from.text();
  const format = from.text();
  const imageBlock = from.u32();
  const uniqueId = toHex(from.bytes(16));
  const creator = from.text();
  const counts = (): Counts => ({ read: from.u64(), changed: from.u64(), stored: from.u64() });
  return {
    name,
    source: {
      address,
      format,
      blockSize: imageBlock || null,
      uniqueId: uniqueId === NO_ID ? null : uniqueId,
      creator: creator || null,
    },
    size: from.u64(),
    blockSize: from.u32(),
    root: toHex(from.bytes(32)),
    pages: from.u64(),
    blocks: counts(),
    bytes: counts(),
  };
}
