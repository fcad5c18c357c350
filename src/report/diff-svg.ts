import type { DiffDisk, DiffResult } from '../jobs/diff-types.ts';
import { cellGrid, cellMark, classesOf, GRID_WIDTH } from './cell-grid.ts';
import { DIFF_STYLE, KINDS, LEVELS } from './diff-style.ts';
import { diskName, shareText } from './diff-text.ts';
import { momentText } from './moment.ts';
import { countText, sizeText } from './quantity.ts';
import { shortPoint } from './short-name.ts';
import { element, escapeXml } from './svg.ts';

/** How many cells per disk the picture has room for. */
export const PICTURE_CELLS = 2048;

/** Left of it there is room for the labels of the rows. */
const LEFT = 88;
const WIDTH: number = LEFT + GRID_WIDTH + 32;
const RIGHT: number = LEFT + GRID_WIDTH - 2;

interface Drawing {
  markup: string[];
  height: number;
}

/** What differs between two points as a picture, SVG that needs nothing else: per disk a grid of cells in reading order. */
export function diffSvg(result: DiffResult): string {
  let y = 40;
  const markup: string[] = [];
  const place = ({ markup: lines, height }: Drawing): void => {
    markup.push(...lines);
    y += height;
  };
  place(heading(result, y));
  for (const disk of result.disks) place(diskPart(disk, y));
  place(footer(y));
  const root = {
    xmlns: 'http://www.w3.org/2000/svg',
    ...{ width: WIDTH, height: y, viewBox: `0 0 ${WIDTH} ${y}` },
    ...{ role: 'img', 'aria-labelledby': 'what details' },
  };
  return `${element('svg', root, [
    element('title', { id: 'what' }, escapeXml(titleOf(result))),
    element('desc', { id: 'details' }, escapeXml(description(result))),
    element('style', {}, DIFF_STYLE),
    element('rect', { class: 'paper', width: '100%', height: '100%' }),
    ...markup,
  ])}\n`;
}

function titleOf({ from, to }: DiffResult): string {
  if (from.item === to.item) return `What changed on ${to.item}`;
  return `What differs between ${from.item} and ${to.item}`;
}

function heading(result: DiffResult, y: number): Drawing {
  const { from, to } = result;
  const ids = [from.point, to.point];
  const lines = [from, to].flatMap(({ item, point, time }, n) => {
    const at = { y: y + 30 + n * 20, class: 'point' };
    return [
      text({ ...at, x: LEFT, class: 'point muted' }, n === 0 ? 'from' : 'to'),
      text({ ...at, x: LEFT + 44 }, momentText(time)),
      text({ ...at, x: LEFT + 178 }, `${item}@${shortPoint(point, ids)}`),
    ];
  });
  const title = titleOf(result);
  // Text cannot be measured here; the names stand below in any case.
  const words = title.length > 56 ? 'What changed' : title;
  return { markup: [text({ x: LEFT, y, class: 'title' }, words), ...lines], height: 72 };
}

/** Name and size, what the colours mean with how much of each there is, and the cells. */
function diskPart(disk: DiffDisk, top: number): Drawing {
  const { picture } = disk;
  const y = top + 34;
  const head = [
    element('line', { x1: LEFT, x2: RIGHT, y1: top, y2: top, class: 'line' }),
    text({ x: LEFT, y, class: 'name' }, shortened(diskName(disk), 56)),
    text({ x: RIGHT, y, class: 'size end' }, sizeWords(disk)),
    text({ x: LEFT, y: y + 21, class: 'size muted' }, changeWords(disk)),
  ];
  if (!picture) return { markup: head, height: 90 };
  const cell = text({ x: RIGHT, y: y + 21, class: 'size muted end' }, `one cell is ${sizeText(picture.cellBytes)}`);
  const grid = cellGrid(picture, Math.max(disk.size, disk.before.size), { x: LEFT, y: y + 100 });
  return { markup: [...head, cell, ...amounts(disk, y + 42), ...grid.markup], height: 34 + 100 + grid.height + 36 };
}

function sizeWords({ size, before }: DiffDisk): string {
  if (size === before.size) return sizeText(size);
  return `${size > before.size ? 'grew' : 'shrank'} from ${sizeText(before.size)} to ${sizeText(size)}`;
}

function changeWords(disk: DiffDisk): string {
  const { changedBytes, changed, size, before } = disk;
  if (changed.length === 0) return 'no difference';
  const share = shareText(changedBytes / Math.max(size, before.size));
  return `${sizeText(changedBytes)} (${share}) ${changed.length === 1 ? 'differs' : 'differ'} in ${countText(changed.length, 'range')}`;
}

/** The legend, and what there is of each kind. */
function amounts({ picture, size, before }: DiffDisk, y: number): string[] {
  const bytes = picture!.bytes;
  const known = bytes.rewritten + bytes.added + bytes.removed + bytes.kept;
  const all = { ...bytes, empty: Math.max(size, before.size) - known };
  return (Object.keys(KINDS) as (keyof typeof KINDS)[]).flatMap((kind, n) => {
    const x = LEFT + (n * GRID_WIDTH) / 5;
    const classes = kind === 'empty' ? KINDS.empty.letter : classesOf(kind, 1);
    return [
      element('g', { class: classes }, cellMark({ x, y: y + 4 }, 16, kind)),
      text({ x: x + 26, y: y + 11, class: 'amount' }, sizeText(all[kind])),
      text({ x: x + 26, y: y + 28, class: 'small muted' }, KINDS[kind].words),
    ];
  });
}

/** What the strength of a colour means. */
function footer(y: number): Drawing {
  const ramp = LEVELS.map((share, n) =>
    element(
      'g',
      { class: classesOf('rewritten', share) },
      cellMark({ x: LEFT + 52 + n * 15, y: y - 10 }, 12, 'rewritten'),
    ),
  );
  const words = 'all of a cell. Where changes of several kinds meet, the cell has the colour of the most frequent one.';
  return {
    markup: [
      text({ x: LEFT, y, class: 'small muted' }, 'a little'),
      ...ramp,
      text({ x: LEFT + 118, y, class: 'small muted' }, words),
    ],
    height: 28,
  };
}

function description(result: DiffResult): string {
  const points = [result.from, result.to].map(({ item, point, time }) => `${item}@${point} of ${time}`).join(' and ');
  const disks = result.disks.map((disk) => `${diskName(disk)}, ${sizeWords(disk)}: ${changeWords(disk)}.`);
  return [`The blocks that differ between ${points}.`, ...disks].join(' ');
}

function text(attributes: Readonly<Record<string, string | number>>, words: string): string {
  return element('text', attributes, escapeXml(words));
}

function shortened(words: string, most: number): string {
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}
