import type { Trouble } from '../vault/trouble.ts';

/* What to do, for findings that several checks tell. */

export const REPAIR =
  '`vhdvault repair`, then a backup of the items stores again what their disks still hold; until then the points named are hit, others restore';
/** Of what repair dealt with. */
export const HEAL =
  'a backup of the items stores again what their disks still hold, and a good copy of the file, put back before `vhdvault repair`, gives all; what neither gives is lost, and with it the points named: `vhdvault forget` them; others restore';
export const LOG_CURE =
  'run `vhdvault repair` on the machine that wrote to the vault last: it puts the entry back if that machine has a copy; else bring the file back from another copy of the vault; without any copy repair gives the entry up if it is the newest. Until then nothing is written, and what it told, perhaps a point, cannot be had; all other points restore';
export const RESERVE_CURE = '`vhdvault gc` makes it anew';

/** Of a finding: what cannot be read now is no proof of wrong bytes. */
export function codeOf({ unread }: Trouble, code: string): string {
  return unread === null ? code : 'IO';
}
