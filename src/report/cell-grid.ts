import type { DiffCell, DiffPicture } from '../jobs/diff-types.ts';
import { KINDS, LEVELS } from './diff-style.ts';
import { sizeText } from './quantity.ts';
import { element } from './svg.ts';

/** 32 or 64 columns fit evenly: powers of two, so that rows begin at round offsets. */
export const GRID_WIDTH = 832;
/** No more cells than this are drawn large. */
const FEW = 512;
const GAP = 2;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

type Kind = keyof typeof KINDS;

/** The cells of a disk of `size` in reading order; left of `x` the rows are labelled with where they begin. */
export function cellGrid(
  { cells, cellBytes }: DiffPicture,
  size: number,
  { x, y }: { x: number; y: number },
): { markup: string[]; height: number } {
  const columns = cells.length > FEW ? 64 : 32;
  const pitch = GRID_WIDTH / columns;
  const rows = Math.ceil(cells.length / columns);
  // All cells of one look stand in one group, which keeps the file small.
  const groups = new Map<string, string[]>();
  for (const [n, cell] of cells.entries()) {
    const { kind, classes } = lookOf(cell);
    const group = groups.get(classes) ?? [];
    groups.set(classes, group);
    const place = { x: x + (n % columns) * pitch, y: y + Math.floor(n / columns) * pitch };
    const tip =
      kind === 'kept' || kind === 'empty'
        ? ''
        : element('title', {}, tipText(cell, n * cellBytes, Math.min(cellBytes, size - n * cellBytes)));
    group.push(cellMark(place, pitch - GAP, kind, tip));
  }
  const every = pitch > 20 || rows <= 8 ? 1 : rows <= 16 ? 2 : 4;
  const labels: string[] = [];
  for (let row = 0; row < rows; row += every) {
    const place = { x: x - 9, y: y + row * pitch + (pitch - GAP) / 2 + 4 };
    labels.push(element('text', { ...place, class: 'offset muted' }, offsetText(row * columns * cellBytes)));
  }
  const drawn = [...groups].map(([classes, marks]) => element('g', { class: classes }, marks));
  return { markup: [...labels, ...drawn], height: rows * pitch - GAP };
}

/** One cell. A hollow one is drawn smaller by its line, so that all are of one size. */
export function cellMark(place: { x: number; y: number }, side: number, kind: Kind, inner = ''): string {
  const inset = kind === 'removed' ? 1.25 : 0;
  const [x, y, width] = [place.x + inset, place.y + inset, side - 2 * inset];
  return element('rect', { x, y, width, height: width, rx: 2 }, inner);
}

/** The most frequent change of a cell, or, where nothing differs, what it holds; and how much of it. */
function lookOf(cell: DiffCell): { kind: Kind; classes: string } {
  const changes = ['rewritten', 'added', 'removed'] as const;
  const share = changes.reduce((sum, change) => sum + cell[change], 0);
  const most = changes.reduce((best, change) => (cell[change] > cell[best] ? change : best));
  if (share > 0) return { kind: most, classes: classesOf(most, share) };
  if (cell.kept > 0) return { kind: 'kept', classes: classesOf('kept', cell.kept) };
  return { kind: 'empty', classes: KINDS.empty.letter };
}

export function classesOf(kind: Kind, share: number): string {
  const level = LEVELS.findIndex((limit) => share <= limit);
  return `${KINDS[kind].letter} o${level < 0 ? LEVELS.length : level + 1}`;
}

function tipText(cell: DiffCell, offset: number, bytes: number): string {
  const parts = (['rewritten', 'added', 'removed', 'kept'] as const).flatMap((kind) =>
    cell[kind] > 0 ? [`${KINDS[kind].words} ${sizeText(cell[kind] * bytes)}`] : [],
  );
  return `at ${offsetText(offset)}: ${parts.join(', ')}`;
}

/** Exact where two decimals are enough, in the largest such unit: `5 GiB`, `1.25 TiB`, `1408 GiB`. */
function offsetText(bytes: number): string {
  if (bytes === 0) return '0';
  let unit = UNITS.length - 1;
  while (unit > 0 && (bytes < 1024 ** unit || !Number.isInteger((bytes * 4) / 1024 ** unit))) unit--;
  return `${bytes / 1024 ** unit} ${UNITS[unit]}`;
}
