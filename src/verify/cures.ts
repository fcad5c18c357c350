import type { Trouble } from '../vault/trouble.ts';

/* What to do, for findings that several checks tell. */

export const REPAIR =
  '`vhdvault repair`, then a backup of the items stores again what their disks still hold; until then the points named are hit, others restore';
export const REBUILD =
  '`vhdvault repair` makes it anew from the packs: nothing is lost by this alone; until then points whose blocks it tells of are not whole';
/** Of blocks that the index does not tell of: the segment that did may be damaged. */
export const REBUILD_OR_HEAL =
  '`vhdvault repair`: a damaged index is made anew from the packs, and nothing is lost; what is in no pack at all, a backup of the items stores again as far as their disks still hold it';
/** Of what repair dealt with. */
export const HEAL =
  'a backup of the items stores again what their disks still hold, and a good copy of the file, put back before `vhdvault repair`, gives all; what neither gives is lost, and with it the points named: `vhdvault forget` them; others restore';
/** Of points that are forgotten already. */
export const FORGOTTEN =
  'nothing is to be done for forgotten ones: `vhdvault gc` gives them up in time, or at once, with all else that is forgotten, with `--soft-delete 0s`';
export const LOG_CURE =
  'run `vhdvault repair` on the machine that wrote to the vault last: it puts the entry back if that machine has a copy; else bring the file back from another copy of the vault; without any copy repair gives the entry up if it is the newest. Until then nothing is written, and what it told, perhaps a point, cannot be had; all other points restore';
export const RESERVE_CURE = '`vhdvault gc` makes it anew';

/** Of a finding: what cannot be read now is no proof of wrong bytes. */
export function codeOf({ unread }: Trouble, code: string): string {
  return unread === null ? code : 'IO';
}
