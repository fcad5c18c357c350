import { VhdvaultError } from '../base/errors.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import type { ManifestDisk } from '../point/manifest.ts';
import type { NamedDisk } from './types.ts';

/** The disks of an item's latest point, to be backed up again; `isForgotten`: it had points. @throws USAGE when there is none */
export function disksOf(
  latest: CatalogPoint | undefined,
  { item, isForgotten }: { item: string; isForgotten: boolean },
  parentRoots: readonly string[] = [],
): NamedDisk[] {
  if (latest) {
    return latest.manifest.disks.map(({ name, source }) => ({ name, address: addressOf(source, parentRoots) }));
  }
  const why = isForgotten
    ? `all points of ${item} are forgotten`
    : `${item} has no point yet whose disks could be used`;
  const back = isForgotten ? `, or bring its latest point back: vhdvault unforget ${item}` : '';
  throw new VhdvaultError('USAGE', `no disk was given, and ${why}`, {
    hint: `name the disks: vhdvault backup ${item} DISK...${back}`,
  });
}

/** Read again as it was read then, whatever its content looks like now. */
function addressOf(
  { address: path, format, parentRoots }: ManifestDisk['source'],
  more: readonly string[],
): DiskAddress {
  if (format === 'block-device') return { kind: 'file', path };
  const roots = [...new Set([...parentRoots, ...more])];
  return {
    ...{ kind: 'file', path, format: format === 'raw' ? 'raw' : 'vhd' },
    ...(roots.length > 0 && { parentRoots: roots }),
  };
}
