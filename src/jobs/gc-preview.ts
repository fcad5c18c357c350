import { MIB } from '../base/units.ts';
import { findDeadJobs } from '../prune/abandon.ts';
import { planCondemn } from '../prune/condemn.ts';
import { readTails } from '../prune/merge-index.ts';
import { findOrphans } from '../prune/orphans.ts';
import type { PackFacts } from '../prune/pack-table.ts';
import { planMerges } from '../prune/plan-merges.ts';
import { planRepack } from '../prune/plan-repack.ts';
import { planSweep } from '../prune/sweep.ts';
import { type Collection, leftoversIn, markAll, stagingOf, tellKept } from './gc-collection.ts';
import { countAbandoned, countSwept, setLater } from './gc-tally.ts';

/** About as large a new pack becomes. */
const PACK = 32 * MIB;

/** Tells what a gc would do now: the same plans, and nothing of them is done. @throws GC_BLOCKED, VAULT_DAMAGED, CANCELLED */
export async function previewGc(all: Collection): Promise<void> {
  const { session, options, tally, sparing, grace, isAlive } = all;
  const { vault, clockDoubt } = session;
  const { signal } = options;
  if (vault.damage) throw vault.damage;
  if (clockDoubt !== undefined) tally.notices.push(`${clockDoubt}: it will be done only with --accept-clock`);
  const { now } = sparing;
  const staging = await stagingOf(all);
  const dead = staging ? await findDeadJobs({ vault, ...staging, now, grace, isAlive }) : [];
  for (const job of dead) countAbandoned(tally, job);
  const closing = dead.map(({ job }) => job);
  for (const { bytes } of await leftoversIn(all, staging, closing)) countSwept(tally, 'leftovers', bytes);
  const marks = await markAll(all);
  const { packs: facts } = marks.packs;
  const condemn = await planCondemn(vault, marks, { signal });
  const repack = await planRepack(vault, marks, { signal });
  const sizeOf = (numbers: readonly number[]): number =>
    numbers.reduce((sum, number) => sum + (facts[number] as PackFacts).size, 0);
  tally.condemned = { points: condemn.points.length, packs: condemn.packs.length, bytes: sizeOf(condemn.packs) };
  tally.repacked = { packs: repack.packs.length, into: packsFor(facts, repack.packs), bytes: repack.bytes };
  const names = new Set([...condemn.packs, ...repack.packs].map((number) => (facts[number] as PackFacts).name));
  const isGone = (pack: string): boolean => names.has(pack) || vault.state.condemned.has(pack);
  const merges = planMerges(await readTails(vault, { signal }), isGone);
  tally.merged = { segments: merges.dropped.length + merges.merged.flat().length, into: merges.merged.length };
  const due = await planSweep(vault, { now, grace }, { signal });
  const orphans = await findOrphans(vault, { signal, closing });
  tally.warnings.push(...orphans.warnings);
  for (const { bytes } of [...due.packs, ...orphans.packs]) if (bytes > 0) countSwept(tally, 'packs', bytes);
  for (const { bytes } of [...due.segments, ...orphans.segments]) if (bytes > 0) countSwept(tally, 'segments', bytes);
  await tellKept(all, staging, orphans);
  const given = [...condemn.packs, ...repack.packs];
  const gone = new Set([...merges.dropped, ...merges.merged.flat()]);
  const segments = vault.state.segments.filter(({ segment }) => gone.has(segment));
  if (grace === 0) {
    for (const number of given) countSwept(tally, 'packs', sizeOf([number]));
    for (const { size } of segments) countSwept(tally, 'segments', size);
  } else {
    const bytes = sizeOf(given) + segments.reduce((sum, { size }) => sum + size, 0);
    setLater(tally, [...due.later, { bytes, at: now + grace }]);
  }
}

/** Pages and blocks never share a pack. */
function packsFor(facts: readonly PackFacts[], numbers: readonly number[]): number {
  const bytes = { data: 0, pages: 0 };
  for (const number of numbers) {
    const { holdsPages, keptBytes } = facts[number] as PackFacts;
    bytes[holdsPages ? 'pages' : 'data'] += keptBytes;
  }
  return Math.ceil(bytes.data / PACK) + Math.ceil(bytes.pages / PACK);
}
