import { VhdvaultError } from '../base/errors.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import type { ManifestDisk } from '../point/manifest.ts';

export interface DiskPair {
  before: ManifestDisk;
  after: ManifestDisk;
}

/**
 * Which disks of two points are compared: those of the same name, or the only one of each. A disk of one item may grow
 * and shrink; those of two items that differ in size have nothing to do with each other.
 * @throws USAGE when nothing is left, DISK_SIZE when it is for their sizes
 */
export function pairDisks(
  from: CatalogPoint,
  to: CatalogPoint,
  only: string | undefined,
): { pairs: DiskPair[]; warnings: string[] } {
  const sameItem = from.manifest.item === to.manifest.item;
  const [older, newer] = [chosen(from, only, sameItem), chosen(to, only, sameItem)];
  const all = matches(older, newer);
  const pairs = all.filter(({ before, after }) => sameItem || before.size === after.size);
  const unequal = all.filter((pair) => !pairs.includes(pair));
  if (pairs.length === 0) throw unequal[0] ? sizeError(unequal[0], from, to) : nothingInCommon(from, to, only);
  const lonely = (disks: readonly ManifestDisk[], side: keyof DiskPair): string[] =>
    disks.filter((disk) => all.every((pair) => pair[side] !== disk)).map(({ name }) => name);
  const warnings = [
    ...lonelyWarning(lonely(older, 'before'), from, to),
    ...lonelyWarning(lonely(newer, 'after'), to, from),
    ...unequal.map((pair) => `${sizesOf(pair, from, to)}: not compared`),
  ];
  return { pairs, warnings };
}

/** The only disk of another item is meant, whatever it is called there. */
function chosen({ manifest }: CatalogPoint, only: string | undefined, sameItem: boolean): ManifestDisk[] {
  const { disks } = manifest;
  const named = disks.filter(({ name }) => only === undefined || name === only);
  return named.length === 0 && !sameItem && disks.length === 1 ? disks : named;
}

function matches(older: readonly ManifestDisk[], newer: readonly ManifestDisk[]): DiskPair[] {
  const [before, after] = [older[0], newer[0]];
  if (older.length === 1 && newer.length === 1) return [{ before: before!, after: after! }];
  return newer.flatMap((disk) => {
    const twin = older.find(({ name }) => name === disk.name);
    return twin ? [{ before: twin, after: disk }] : [];
  });
}

function lonelyWarning(names: readonly string[], here: CatalogPoint, there: CatalogPoint): string[] {
  if (names.length === 0) return [];
  const verb = names.length === 1 ? 'is' : 'are';
  return [`${names.join(', ')} of ${nameOf(here)} ${verb} not in ${nameOf(there)}: not compared`];
}

function sizeError(pair: DiskPair, from: CatalogPoint, to: CatalogPoint): VhdvaultError {
  return new VhdvaultError('DISK_SIZE', sizesOf(pair, from, to), {
    hint: 'disks of different items are compared only where their sizes are equal: compare two points of one item, or choose other disks with --disk',
    details: { expected: pair.before.size, found: pair.after.size },
  });
}

function nothingInCommon(from: CatalogPoint, to: CatalogPoint, only: string | undefined): VhdvaultError {
  const has = (point: CatalogPoint): string =>
    `${nameOf(point)} has ${point.manifest.disks.map(({ name }) => name).join(', ')}`;
  const what = only === undefined ? 'the two points have no disk in common' : `no disk ${only} is in both points`;
  return new VhdvaultError('USAGE', what, { hint: `${has(from)}; ${has(to)}` });
}

function sizesOf({ before, after }: DiskPair, from: CatalogPoint, to: CatalogPoint): string {
  const [older, newer] = [`${before.name} of ${nameOf(from)}`, `${after.name} of ${nameOf(to)}`];
  return `${older} has ${before.size} bytes, ${newer} ${after.size}`;
}

function nameOf({ id, manifest }: CatalogPoint): string {
  return `${manifest.item}@${id}`;
}
