import { type ErrorCode, isError } from '../../src/base/errors.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { pin, unpin } from '../../src/jobs/pin-job.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import type { SimProcess } from './process.ts';
import { Violation } from './scheduler.ts';
import { broughtBack, doubt, isKept, type SavedPoint, settle } from './truth.ts';
import { openSession, type World } from './world.ts';

/** Who says one of these has done nothing. */
const NOTHING_DONE: readonly ErrorCode[] = [
  ...(['CLOCK_DOUBTED', 'LATEST_POINT', 'NO_SUCH_ITEM', 'NO_SUCH_POINT'] as const),
  ...(['POINT_PINNED', 'POINT_PROTECTED', 'CANCELLED'] as const),
];

export async function forgetNamed(world: World, process: SimProcess): Promise<void> {
  const points = someOf(world, () => true);
  if (points.length === 0) return;
  const mustStay = points.filter((point) => point.isPinned && isKept(point));
  await using session = await openSession(world, process);
  const refs = points.map(({ ref }) => ref);
  const options = { force: world.draw.percent(70), acceptClock: world.draw.percent(50) };
  doubt(points, process);
  await settled(world, process, () => forget(session, { refs }, { ...options, signal: process.cancelled.signal }));
  if (mustStay.length > 0 && process.state === 'running')
    throw new Violation(`${mustStay.map(({ ref }) => ref).join(', ')}: pinned, and forgotten`);
}

export async function forgetByRules(world: World, process: SimProcess): Promise<void> {
  const { draw, saved, forgetting } = world;
  const targets = draw.percent(40) ? 'all' : draw.one(world.items).name;
  if (targets !== 'all' && !saved.some(({ item }) => item === targets)) return;
  const rules = draw.one([{ last: 1 }, { last: 2 }, { daily: 2 }, { hourly: 1, last: 1 }, { within: '1d' }]);
  await using session = await openSession(world, process);
  const mine = { process, targets };
  forgetting.add(mine);
  doubt(
    saved.filter(({ item }) => targets === 'all' || item === targets),
    process,
  );
  try {
    const what = { rules: { ...rules, zone: 'UTC' }, ...(targets !== 'all' && { items: [targets] }) };
    const options = { acceptClock: draw.percent(50), signal: process.cancelled.signal };
    await settled(world, process, () => forget(session, what, options));
  } finally {
    forgetting.delete(mine);
  }
}

/** What a dead process did, nobody knows. */
async function settled(
  world: World,
  process: SimProcess,
  work: () => Promise<{ forgotten: readonly { item: string; point: string }[] }>,
): Promise<void> {
  try {
    const { forgotten } = await work();
    const refs = forgotten.map(({ item, point }) => `${item}@${point}`);
    if (process.state === 'running') settle(world, process, refs);
    world.scheduler.note(`${process.pid} forgot ${refs.join(', ')}`);
  } catch (error) {
    if (process.state === 'running' && isError(error, ...NOTHING_DONE)) settle(world, process, []);
    throw error;
  }
}

export async function bringBack(world: World, process: SimProcess): Promise<void> {
  const points = someOf(world, (point) => !isKept(point));
  if (points.length === 0) return;
  await using session = await openSession(world, process);
  const refs = points.map(({ ref }) => ref);
  await unforget(session, refs, { signal: process.cancelled.signal });
  if (process.state === 'running') broughtBack(world, process, refs);
}

export async function pinOne(world: World, process: SimProcess): Promise<void> {
  const [point] = someOf(world, () => true);
  if (!point) return;
  await using session = await openSession(world, process);
  const unpins = world.processes.filter(({ name }) => name === 'unpin');
  await pin(session, point.ref, { signal: process.cancelled.signal });
  const isAlone = unpins.length === world.processes.filter(({ name }) => name === 'unpin').length;
  const isOver = unpins.every(({ state }) => state !== 'running');
  if (process.state === 'running' && isAlone && isOver) point.isPinned = true;
}

export async function unpinOne(world: World, process: SimProcess): Promise<void> {
  const [point] = someOf(world, () => true);
  if (!point) return;
  await using session = await openSession(world, process);
  point.isPinned = false;
  await unpin(session, point.ref, { signal: process.cancelled.signal });
}

export async function protectAll(world: World, process: SimProcess): Promise<void> {
  await using session = await openSession(world, process);
  const minRetention = world.draw.one(['0h', '1h', '3h', '2d']);
  await protect(session, { minRetention, acceptClock: world.draw.percent(50), signal: process.cancelled.signal });
}

function someOf({ draw, saved }: World, isWanted: (point: SavedPoint) => boolean): SavedPoint[] {
  const wanted = saved.filter(isWanted);
  if (wanted.length === 0) return [];
  return [...new Set(Array.from({ length: draw.one([1, 1, 1, 2, 4]) }, () => draw.one(wanted)))];
}
