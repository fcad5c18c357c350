import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ENDING, readJournal } from '../merge-journal.ts';
import { fromTimestamp } from '../vhd/footer.ts';
import type { Layer } from '../vhd/layer.ts';
import { quote } from '../vhd/quote.ts';
import { formatUniqueId, isNullId } from '../vhd/unique-id.ts';
import type { Report } from './report.ts';

/** How an image and its parent fit, and what an interrupted merge left beside any file of the chain. */
export async function checkChain(layers: readonly Layer[], report: Report): Promise<void> {
  const [image, parent] = layers;
  if (!image) return;
  await checkJournals(layers, report);
  checkIds(layers, report);
  if (!parent) return;
  checkSizes(image, parent, report);
  await checkTimestamp(image, parent, report);
}

/** Whoever looks for a parent by its unique id can then find the wrong one. */
function checkIds(layers: readonly Layer[], report: Report): void {
  const paths = new Map<string, string>();
  for (const { footer, source } of layers) {
    if (!footer || isNullId(footer.uniqueId)) continue;
    const id = formatUniqueId(footer.uniqueId);
    const other = paths.get(id);
    paths.set(id, source.path);
    if (other === undefined) continue;
    const what = `${other} and its ancestor ${source.path} have the same unique id ${id}`;
    const cure = 'convert the chain to one image while it still opens';
    report.add('warning', 'VHD_SAME_ID', { what, found: id, cure });
  }
}

/** A merge has a journal beside the child, from the moment on where the parent has it all until the child is gone. */
async function checkJournals(layers: readonly Layer[], report: Report): Promise<void> {
  const children = new Set(layers.map(({ source }) => source.path));
  const asked = layers[0]!.source.path;
  for (const child of await namedIn(dirname(asked))) {
    const journal = await readJournal(child).catch(() => null);
    if (journal && (await isSameFile(journal.parent, asked))) children.add(child);
  }
  for (const child of children) {
    if (!(await isFile(child + ENDING))) continue;
    const left = await isFile(child);
    const what = `the merge of ${child} was interrupted in its last steps: its journal ${child}${ENDING} is there`;
    const cure = left
      ? `run it again, which goes on: vhdvault vhd merge ${quote(child)}`
      : `the child is merged and gone: remove ${quote(child + ENDING)}`;
    report.add(left ? 'warning' : 'info', 'VHD_MERGE_INTERRUPTED', { what, cure });
  }
}

/** The children whose journals lie in a folder. What cannot be listed is not looked at. */
async function namedIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const children = names
    .filter((name) => name.endsWith(ENDING))
    .map((name) => join(folder, name.slice(0, -ENDING.length)));
  const are = await Promise.all(children.map((child) => isFile(child + ENDING)));
  return children.filter((_, i) => are[i]);
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

async function isSameFile(path: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([path, other].map((one) => realpath(one).catch(() => null)));
  return a !== null && a === b;
}

function checkSizes(image: Layer, parent: Layer, report: Report): void {
  if (image.size === parent.size) return;
  const more = image.size > parent.size;
  const what = more
    ? `the disk has ${image.size} bytes, its parent ${parent.size}: legal, it was made larger, and reads as zeros beyond`
    : `the disk has ${image.size} bytes, its parent ${parent.size}: it ends before its parent, which some programs refuse`;
  report.add('info', 'VHD_PARENT_SIZE', { what, expected: parent.size, found: image.size });
}

/** Writers disagree on what this is (Windows: 0; blktap: when the file was changed), and copying a file changes it: so no more than a remark. */
async function checkTimestamp({ header }: Layer, parent: Layer, report: Report): Promise<void> {
  const told = header?.parentTimestamp ?? 0;
  if (told === 0 || told === parent.footer?.timestamp) return;
  const changed = (await parent.source.handle.stat()).mtimeMs;
  if (Math.abs(changed - fromTimestamp(told)) < 2000) return;
  const found = new Date(fromTimestamp(told)).toISOString();
  const what = `the header dates the parent ${found}, its file was changed ${new Date(changed).toISOString()}`;
  const cure =
    'if somebody wrote to the parent after the image was made, do not use it; copying alone changes the time, too';
  report.add('info', 'VHD_PARENT_TIMESTAMP', { what, expected: new Date(changed).toISOString(), found, cure });
}
