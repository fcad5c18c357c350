import { throwIfAborted } from '../base/abort.ts';
import type { Finding } from '../base/finding.ts';
import { toHex } from '../base/hex.ts';
import { LocationTable } from '../cache/location-table.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import { createQueue } from '../pool/common-queue.ts';
import type { Pool } from '../pool/pool.ts';
import { runOnAll } from '../pool/run-on-all.ts';
import { packPath } from '../vault/block-writer.ts';
import { checkSegment } from '../vault/check-segment.ts';
import type { Vault } from '../vault/vault.ts';
import type { PackProblem } from './check-packs.ts';
import { checkPacksTask } from './check-packs-task.ts';
import { badIdKey, walkPoint } from './walk-point.ts';

export interface VerifyVaultOptions {
  vault: Vault;
  pool: Pool;
  /** File for the index that verify makes for itself: it trusts no cache. */
  index: string;
  points: readonly CatalogPoint[];
  readData: boolean;
  signal?: AbortSignal | undefined;
  onBytes?: ((done: number, total: number) => void) | undefined;
}

export type PointFinding = Finding & { points: string[] };

export interface Verified {
  findings: PointFinding[];
  packs: number;
  segments: number;
  blocks: number;
  bytes: number;
}

const CURE =
  'the points named are hit, others restore; bring the object back from another copy of this vault if there is one, else back the items up into a new vault: this version cannot mend one';

/** Checks the structure of a vault, and with `readData` every byte; writes nothing to it. */
export async function verifyVault(options: VerifyVaultOptions): Promise<Verified> {
  const { vault, points, readData, signal } = options;
  using index = new LocationTable(options.index);
  const findings: PointFinding[] = [];
  const tell = (
    severity: Finding['severity'],
    code: string,
    words: { what: string; where: string; cure: string },
    hit: string[] = [],
  ): void => {
    findings.push({ severity, code, ...words, points: hit });
  };
  if (vault.damage) {
    tell('damage', 'LOG_ENTRY', {
      what: vault.damage.message,
      where: String(vault.damage.details.path ?? 'log'),
      cure: 'nothing can be written until it is repaired; points before it restore',
    });
  }
  for (const added of vault.state.segments) {
    throwIfAborted(signal);
    const what = await checkSegment(vault, added, (entries, packs) => addEntries(index, entries, packs));
    if (what) tell('damage', 'SEGMENT', { what, where: `index/${added.segment}`, cure: CURE });
  }
  const problems = [...(await missingPacks(vault, index)), ...(readData ? await readPacks(options, index) : [])];
  const badPacks = new Set(problems.flatMap(({ pack, badIds }) => (badIds === 'all' ? [pack] : [])));
  const badIds = new Set(
    problems.flatMap(({ pack, badIds: ids }) => (ids === 'all' ? [] : ids.map((id) => badIdKey(pack, id)))),
  );
  const hit = new Map<string, Set<string>>();
  let blocks = 0;
  const seen = new Set<string>();
  for (const point of points) {
    throwIfAborted(signal);
    const walk = await walkPoint({ vault, point, index, badPacks, badIds, seen, signal });
    blocks += walk.blocks;
    const name = `${point.manifest.item}@${point.id}`;
    for (const pack of walk.packs) hit.set(pack, (hit.get(pack) ?? new Set()).add(name));
    // One for all: a lost segment takes thousands of blocks with it.
    const [first, ...more] = walk.missing;
    const what = more.length > 0 ? `${first}, and ${more.length} more like it` : first;
    if (what !== undefined) tell('damage', 'BLOCK', { what, where: name, cure: CURE }, [name]);
  }
  for (const { pack, what } of problems)
    tell('damage', 'PACK', { what, where: packPath(pack), cure: CURE }, [...(hit.get(pack) ?? [])]);
  await tellOrphans(vault, index, tell);
  const packs = index.packs();
  const bytes = readData ? packs.reduce((sum, { size }) => sum + size, 0) : 0;
  return { findings, packs: packs.length, segments: vault.state.segments.length, blocks, bytes };
}

function addEntries(
  index: LocationTable,
  entries: Parameters<Parameters<typeof checkSegment>[2]>[0],
  packs: Parameters<Parameters<typeof checkSegment>[2]>[1],
): void {
  index.transaction(() => {
    const ordinals = packs.map((pack) => index.addPack(pack));
    index.addBlocks(entries.map((entry) => ({ ...entry, pack: ordinals[entry.pack] as number })));
  });
}

/** Every pack of the index must be there with its size. */
async function missingPacks(vault: Vault, index: LocationTable): Promise<PackProblem[]> {
  const problems: PackProblem[] = [];
  for (const { name, size } of index.packs()) {
    const found = await vault.store.size(packPath(name));
    if (found === size) continue;
    problems.push({
      pack: name,
      what: found === undefined ? 'is missing' : `is ${found} bytes long, expected ${size}`,
      badIds: 'all',
    });
  }
  return problems;
}

async function readPacks(options: VerifyVaultOptions, index: LocationTable): Promise<PackProblem[]> {
  const { vault, pool, signal, onBytes } = options;
  const { store, keys, config } = vault;
  throwIfAborted(signal);
  index.indexByPack();
  const packs: { name: string; size: number }[] = [];
  for (const { name, size } of index.packs())
    if ((await store.size(packPath(name))) === size) packs.push({ name, size });
  const total = packs.reduce((sum, { size }) => sum + size, 0);
  const queue = createQueue();
  const counters = new Float64Array(new SharedArrayBuffer(pool.threads * 8));
  const problems = await runOnAll({
    ...{ pool, task: checkPacksTask, queue, signal },
    input: { store: store.address, keys, blockSize: config.blockSize, index: options.index, packs, queue, counters },
    onTick: () =>
      onBytes?.(
        counters.reduce((sum, bytes) => sum + bytes, 0),
        total,
      ),
  });
  return problems.flat();
}

/** Packs that no point adds: left by interrupted runs. A listing finds them; nothing is decided from it. */
async function tellOrphans(
  vault: Vault,
  index: LocationTable,
  tell: (severity: Finding['severity'], code: string, words: { what: string; where: string; cure: string }) => void,
): Promise<void> {
  const known = new Set(index.packs().map(({ name }) => name));
  let count = 0;
  let bytes = 0;
  for (let n = 0; n < 256; n++) {
    const folder = toHex(Uint8Array.of(n));
    for (const name of await vault.store.list(`packs/${folder}`)) {
      if (known.has(name)) continue;
      count++;
      bytes += (await vault.store.size(`packs/${folder}/${name}`)) ?? 0;
    }
  }
  if (count === 0) return;
  const what = `${count} packs (${bytes} bytes) belong to no point: interrupted runs left them, or a run is writing them now`;
  tell('info', 'ORPHANS', { what, where: 'packs', cure: '' });
}
