import type { Draw } from '../fuzz/draw.ts';

/** How bad the times are in one world. Each rate is one in so many steps; 0: never. */
export interface Weather {
  /** From now on nothing bad happens any more. */
  isCalm: boolean;
  threads: number;
  faults: number;
  crashes: number;
  cuts: number;
  stops: number;
  /** Ctrl-C. */
  cancels: number;
  jumps: number;
  cacheLosses: number;
  /** Hours or weeks in which nobody starts anything. */
  pauses: number;
  /** The disk of the vault is full, for a while. */
  full: number;
  /** Disks change while they are read. */
  writes: number;
  /** Listings may leave out what is new. */
  staleLists: boolean;
}

export function drawWeather(draw: Draw): Weather {
  return {
    isCalm: false,
    threads: draw.one([1, 1, 2, 3]),
    faults: draw.one([0, 0, 0, 600, 150]),
    crashes: draw.one([0, 300, 120, 60]),
    cuts: draw.one([0, 0, 800, 250]),
    stops: draw.one([0, 0, 300, 100]),
    cancels: draw.one([0, 0, 300]),
    jumps: draw.one([0, 0, 0, 200]),
    pauses: draw.one([0, 0, 150]),
    cacheLosses: draw.one([0, 0, 200]),
    full: draw.one([0, 0, 0, 0, 400]),
    writes: draw.one([0, 0, 400]),
    staleLists: draw.percent(15),
  };
}
