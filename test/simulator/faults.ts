import { systemError } from './durable-files.ts';
import type { SimProcess } from './process.ts';
import { count, type World } from './world.ts';

/** Does an operation, or not, or does it and tells that it failed: as devices and networks do. */
export function faulty<T>(world: World, process: SimProcess, what: string, work: () => T): T {
  const { draw, weather } = world;
  if (weather.isCalm || weather.faults === 0 || draw.below(weather.faults) > 0) return work();
  process.troubles.add('fault');
  const isLate = draw.percent(50);
  count(world, isLate ? 'outcome unknown' : 'operation failed');
  if (isLate) work();
  const code = draw.percent(80) || !/^(writing|creating|making|linking)/.test(what) ? 'EIO' : 'ENOSPC';
  throw systemError(code);
}
