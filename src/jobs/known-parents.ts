import type { CapturedDisk } from '../backup/capture-options.ts';
import { DAY } from '../base/units.ts';
import { readSourceStamps, type SourceStamps, stampsOfFiles, writeSourceStamps } from '../cache/source-stamps.ts';
import type { ManifestDisk } from '../point/manifest.ts';
import type { BackupRun } from './backup-run.ts';
import { stampsOf } from './scratch.ts';
import type { SourceDisk } from './source-disks.ts';

/** Without `--full-scan-every`. */
const FULL_SCAN_EVERY: number = 30 * DAY;

/** What of a disk need not be read, and why. */
export interface KnownParents {
  /** So many images at the top of its chain are new; 0: all is read. */
  newLayers: number;
  /** When a run began that read the whole disk: milliseconds since 1970 UTC. */
  wholeAt: number;
  /** Part of the reason, or empty. */
  remark: string;
}

/**
 * Where the parent of a source is the disk of the latest point, as that was read then, only what lies above it is new. `heals`:
 * nothing is taken for granted. In doubt all is read.
 */
export async function knownParents(run: BackupRun, heals: boolean): Promise<KnownParents[]> {
  return await Promise.all(
    run.sources.map((source, n) => parentsOf(run, source, heals ? undefined : run.plan.bases[n])),
  );
}

async function parentsOf(
  run: BackupRun,
  { name, generation }: SourceDisk,
  base: ManifestDisk | undefined,
): Promise<KnownParents> {
  const { session, item, plan, started } = run;
  const whole = { newLayers: 0, wholeAt: started, remark: '' };
  if (plan.type !== 'incremental' || !plan.base || !base) return whole;
  const { vault } = session;
  const stamps = await readSourceStamps(vault, stampsOf(session, item, base.name), { item, disk: base.name });
  if (stamps?.point !== plan.base.logged.point || stamps.root !== base.root) return whole;
  const newLayers = newAbove(stampsOfFiles(vault, generation), stamps.files);
  if (newLayers === 0) return whole;
  const why = whyWhole(run, name, stamps);
  if (why !== undefined) return { ...whole, remark: `${name} was read whole, ${why}` };
  const remark = `${name} by the parent of the disk, which is that of point ${plan.base.id}`;
  return { newLayers, wholeAt: stamps.wholeAt, remark };
}

/** How many files lie above those of `then`, which must be there, in order; 0 where anything else is so. */
function newAbove(now: readonly string[], then: readonly string[]): number {
  const above = now.length - then.length;
  return then.length > 0 && above > 0 && then.every((file, n) => file === now[above + n]) ? above : 0;
}

function whyWhole(
  { session, options, started, distrusted }: BackupRun,
  name: string,
  { made, wholeAt }: SourceStamps,
): string | undefined {
  const { fullScanEvery = FULL_SCAN_EVERY } = options;
  if (distrusted.has(name)) return 'since its parent is not what it was';
  if (fullScanEvery === 0) return 'as was asked for';
  if (session.clockDoubt !== undefined || started < made) return 'since the clock is in doubt';
  if (started - wholeAt < fullScanEvery) return undefined;
  return `since it last was on ${new Date(wholeAt).toISOString().slice(0, 10)}`;
}

/**
 * What the audit found: the disks whose parents are not to be believed in this run are noted, with a warning. True where there
 * is one: what was captured may be wrong.
 */
export function distrust(run: BackupRun, captured: readonly CapturedDisk[]): boolean {
  for (const [n, { wrongAt }] of captured.entries()) {
    if (wrongAt === null) continue;
    const { name, generation } = run.sources[n] as SourceDisk;
    run.distrusted.add(name);
    const parents = generation.slice(1).map(({ path }) => path);
    run.warnings.push(
      `${name}: at byte ${wrongAt} the disk is not what its latest point has, though the parents there look as they did then ` +
        `(${parents.join(', ')}): this run read the whole disk. Find out what changes them without a trace ` +
        `(a program that writes behind the file system's back, a disk that fails), and until then back up with --full-scan-every 0s; ` +
        'points since the last run that read the whole disk may hold old data there',
    );
  }
  return captured.some(({ wrongAt }) => wrongAt !== null);
}

/** After the commit: what the next run may rely on. */
export async function keepStamps(
  { session, item, sources, started }: BackupRun,
  made: { point: string; captured: readonly CapturedDisk[]; parents: readonly KnownParents[] },
): Promise<void> {
  const { vault } = session;
  for (const [n, { name, generation }] of sources.entries()) {
    const { root } = made.captured[n] as CapturedDisk;
    const { wholeAt } = made.parents[n] as KnownParents;
    const files = stampsOfFiles(vault, generation);
    const stamps = { point: made.point, root, files, made: started, wholeAt };
    await writeSourceStamps(vault, stampsOf(session, item, name), { item, disk: name }, stamps);
  }
}
