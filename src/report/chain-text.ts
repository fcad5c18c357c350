import { dirname, relative } from 'node:path';
import { shareText } from './diff-text.ts';
import { type AnyFinding, findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText, sizeText } from './quantity.ts';
import { shortFormat } from './short-name.ts';
import { tableLines } from './table.ts';

/** What `vhd chain` tells of one image: the facts, of which it shows some. */
interface ChainImage {
  path: string;
  format: string;
  fileSize: number;
  currentSize: number;
  uniqueId: string | null;
  blockSize: number | null;
  allocatedBlocks: number | null;
  parentUniqueId: string | null;
  parentName: string | null;
  parent: ChainImage | null;
}

/** An image that depends on one of the chain, by the path of that one. */
interface OtherChild {
  path: string;
  uniqueId: string;
  parent: string;
  facts: ChainImage | null;
}

/** What `vhd chain` tells. */
export interface ChainReport extends ChainImage {
  children: readonly OtherChild[];
  findings: readonly AnyFinding[];
}

const HEAD = ['image', 'size', 'type', 'file', 'allocated', 'id'];
const ASKED = ' ◀';

/** The chain as a tree, its base first; what else depends on its images stands before the next link; then the trouble. */
export function chainText(chain: ChainReport, look: Look): string {
  const folder = dirname(chain.path);
  const images = imagesOf(chain);
  const rows = [...missingBase(images[0]!), ...rowsOf(images, chain.children, folder)];
  const [head, ...lines] = tableLines(rows, { head: HEAD, align: 'lrlrrl' });
  const asked = rows.findIndex(([label]) => label!.endsWith(ASKED));
  return [
    paint(look, 'bold', oneLine(folder)),
    paint(look, 'dim', head!),
    ...lines.map((line, n) => (n === asked ? paint(look, 'bold', line) : line)),
    summary(images, chain.children),
    ...findingLines(look, chain.findings),
  ].join('\n');
}

/** Base first. */
function imagesOf(image: ChainImage): ChainImage[] {
  return [...(image.parent ? imagesOf(image.parent) : []), image];
}

/** A chain that is broken begins with what its last image names. */
function missingBase({ format, parentName, parentUniqueId }: ChainImage): string[][] {
  if (format !== 'vhd-differencing') return [];
  const name = parentName?.split(/[\\/]/).at(-1) || 'its parent';
  return [[`? ${name}`, '', 'not opened', '', '', shortId(parentUniqueId)]];
}

function rowsOf(images: readonly ChainImage[], others: readonly OtherChild[], folder: string): string[][] {
  const label = (path: string): string => (path.startsWith(`${folder}/`) ? relative(folder, path) : path);
  const broken = images[0]!.format === 'vhd-differencing';
  return images.flatMap((image, n) => {
    const depth = broken ? n + 1 : n;
    const last = n === images.length - 1;
    const children = others.filter(({ parent }) => parent === image.path);
    const own = `${branch(depth, '└─ ')}${label(image.path)}${last ? ASKED : ''}`;
    return [
      [own, ...cells(image)],
      ...children.map((child, i) => {
        const end = last && i === children.length - 1;
        const text = `${branch(depth + 1, end ? '└─ ' : '├─ ')}${label(child.path)}`;
        return [text, ...(child.facts ? cells(child.facts) : ['', 'not opened', '', '', shortId(child.uniqueId)])];
      }),
    ];
  });
}

function branch(depth: number, sign: string): string {
  return depth === 0 ? '' : '   '.repeat(depth - 1) + sign;
}

function cells({ currentSize, format, fileSize, uniqueId, blockSize, allocatedBlocks }: ChainImage): string[] {
  const share = blockSize && allocatedBlocks !== null ? allocatedBlocks / Math.ceil(currentSize / blockSize) : 1;
  return [sizeText(currentSize), shortFormat(format), sizeText(fileSize), shareText(share), shortId(uniqueId)];
}

function shortId(id: string | null): string {
  return id?.slice(0, 8) ?? '';
}

function summary(images: readonly ChainImage[], others: readonly OtherChild[]): string {
  const bytes = images.reduce((sum, { fileSize }) => sum + fileSize, 0);
  const more =
    others.length === 0
      ? ''
      : `; ${countText(others.length, 'other image depends', 'other images depend')} on ${images.length === 1 ? 'it' : 'them'}`;
  return `${countText(images.length, 'image')} in ${sizeText(bytes)}${more}`;
}
