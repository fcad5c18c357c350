import { isError, VhdvaultError } from '../base/errors.ts';
import { type CatalogPoint, everyPoint } from '../point/catalog.ts';
import { type AddedSegment, leastAge, type Vault } from '../vault/vault.ts';

/** What cannot be read may be what tells that a block is needed: nothing is given up beside it. */
export function blockedByPoint(
  { state }: Vault,
  { id, manifest, logged }: CatalogPoint,
  cause: VhdvaultError,
): VhdvaultError {
  const { item } = manifest;
  const point = `${item}@${id}`;
  const away =
    'look at the disk of the vault, and at its permissions, then run `vhdvault gc` again: nothing is given up as long as this may be there again';
  // Of a forgotten point only what is lost for good may be given up: a shorter soft delete would take all other forgotten points along.
  const least = leastAge(state, logged);
  const from =
    least > 0 ? `, from ${new Date(logged.time + least).toISOString()} on, when its minimum retention is over` : '';
  const forget = `\`vhdvault forget ${point}\` (with --force if it is the latest of ${item}, after \`vhdvault unpin ${point}\` if it is pinned${from})`;
  const lost = `run \`vhdvault repair\` and back ${item} up again; if that mends it not, and the point is of no use any more, ${forget} lets \`vhdvault gc\` go on without it; \`vhdvault verify\` lists all points that are hit`;
  return new VhdvaultError('GC_BLOCKED', `${point} cannot be read whole, so nothing was freed: ${cause.message}`, {
    hint: isError(cause, 'IO', 'NO_PERMISSION') ? away : lost,
    details: { point, ...cause.details },
    cause,
  });
}

/** The same of a segment of the index, which may tell of any point. */
export function blockedBySegment(vault: Vault, { job }: AddedSegment, cause: VhdvaultError): VhdvaultError {
  const made = everyPoint(vault).find(({ logged }) => logged.job === job);
  const whose = made ? `, which ${made.manifest.item}@${made.id} added,` : '';
  return new VhdvaultError(
    'GC_BLOCKED',
    `a segment of the index${whose} cannot be read, so nothing was freed: ${cause.message}`,
    { hint: 'run `vhdvault repair`, which makes the index anew', details: cause.details, cause },
  );
}

export function blockedByOthers(): VhdvaultError {
  return new VhdvaultError('GC_BLOCKED', 'other runs moved blocks all the while, so nothing was freed', {
    hint: 'run `vhdvault gc` again when no other is at work',
  });
}
