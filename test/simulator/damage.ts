import { isError } from '../../src/base/errors.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { catalog } from '../../src/point/catalog.ts';

import { checkPoint } from './actions.ts';
import type { SimProcess } from './process.ts';
import { alone } from './runs.ts';
import { Violation } from './scheduler.ts';
import { count, openSession, type World } from './world.ts';

/** The end of a world: one object is damaged, and verify says what is the truth. */
export async function damageSomething(world: World): Promise<void> {
  const { draw, files, scheduler } = world;
  const packs = files
    .list('packs')
    .flatMap((folder) => files.list(`packs/${folder}`).map((name) => `packs/${folder}/${name}`));
  const rooms = [
    packs,
    files.list('index').map((name) => `index/${name}`),
    files.list('log').map((name) => `log/${name}`),
  ];
  const paths = draw.one(rooms.filter((room) => room.length > 0));
  const path = draw.one(paths);
  // Taking away the newest entry is a rollback, not damage.
  const how = harm(world, path, !path.startsWith('log/'));
  scheduler.note(`${path} ${how}`);
  count(world, `damage: ${path.split('/')[0]} ${how}`);
  await alone(world, { name: 'verify the damaged', run: (_, process) => compare(world, process, path) });
}

/** Every point reads as it was, or verify says that it is hit. */
async function compare(world: World, process: SimProcess, path: string): Promise<void> {
  try {
    await using session = await openSession(world, process);
    const found = await verify(session, { readData: true });
    const damage = found.findings.filter(({ severity }) => severity === 'damage');
    if (found.ok !== (damage.length === 0)) throw new Violation('verify contradicts itself');
    const broken = await brokenPoints(world, session);
    if (path.startsWith('log/')) {
      if (found.ok) throw new Violation(`verify does not see that ${path} is damaged`);
      return;
    }
    const named = new Set(damage.flatMap(({ points }) => points));
    const untold = broken.filter((ref) => !named.has(ref));
    if (untold.length > 0) throw new Violation(`verify does not say that ${untold.join(', ')} cannot be read`);
  } catch (error) {
    // The first entry is needed to open a vault at all.
    if (!isError(error, 'VAULT_DAMAGED') || !path.startsWith('log/')) throw error;
  }
}

/** Points that the log still tells of and that cannot be read. */
async function brokenPoints({ saved }: World, session: VaultSession): Promise<string[]> {
  const points = new Set(catalog(session.vault).map(({ id, manifest }) => `${manifest.item}@${id}`));
  const broken: string[] = [];
  for (const point of saved) {
    if (!points.has(point.ref)) continue;
    try {
      await checkPoint(session, point);
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED')) throw error;
      broken.push(point.ref);
    }
  }
  return broken;
}

function harm({ files, draw }: World, path: string, mayGo: boolean): string {
  const file = files.file(path);
  const bytes = Uint8Array.from(file.bytes);
  const at = draw.below(bytes.byteLength);
  const how = draw.one(['has a flipped bit', 'is cut', 'has zeros', ...(mayGo ? ['is gone'] : [])]);
  if (how === 'is gone') files.remove(path);
  if (how === 'has a flipped bit') bytes[at]! ^= 1 << draw.below(8);
  // Zeros where there were none: else nothing is damaged.
  if (how === 'has zeros') bytes.fill(0, firstOther(bytes, at));
  file.bytes = how === 'is cut' ? bytes.slice(0, at) : bytes;
  return how;
}

function firstOther(bytes: Uint8Array, at: number): number {
  const found = bytes.findIndex((byte, n) => n >= at && byte !== 0);
  return Math.max(0, found);
}
