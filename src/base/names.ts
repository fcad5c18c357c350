import { VhdvaultError } from './errors.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Whether an item or a disk can be named so. */
export function isName(name: string): boolean {
  return NAME.test(name);
}

/** Items and disks are named alike: 1 to 64 letters, digits, `.`, `_`, `-`, the first a letter or digit. */
export function checkName(kind: 'item' | 'disk', name: string): string {
  if (isName(name)) return name;
  throw new VhdvaultError(
    kind === 'item' ? 'ITEM_NAME' : 'DISK_NAME',
    `"${name}" is no name for a${kind === 'item' ? 'n item' : ' disk'}`,
    {
      hint: 'use 1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter or digit (for a disk: NAME=PATH)',
      details: { name },
    },
  );
}
