import type { Command } from './command.ts';
import { backupCommand } from './commands/backup.ts';
import { completionCommand } from './commands/completion.ts';
import { diffCommand } from './commands/diff.ts';
import { forgetCommand } from './commands/forget.ts';
import { gcCommand } from './commands/gc.ts';
import { initCommand } from './commands/init.ts';
import { itemsCommand } from './commands/items.ts';
import { keyAddCommand } from './commands/key-add.ts';
import { keyChangeCommand } from './commands/key-change.ts';
import { keyListCommand } from './commands/key-list.ts';
import { keyRemoveCommand } from './commands/key-remove.ts';
import { pinCommand } from './commands/pin.ts';
import { pointsCommand } from './commands/points.ts';
import { protectCommand } from './commands/protect.ts';
import { repairCommand } from './commands/repair.ts';
import { restoreCommand } from './commands/restore.ts';
import { scrubCommand } from './commands/scrub.ts';
import { showCommand } from './commands/show.ts';
import { statsCommand } from './commands/stats.ts';
import { unforgetCommand } from './commands/unforget.ts';
import { unpinCommand } from './commands/unpin.ts';
import { verifyCommand } from './commands/verify.ts';
import { vhdChainCommand } from './commands/vhd-chain.ts';
import { vhdCheckCommand } from './commands/vhd-check.ts';
import { vhdConvertCommand } from './commands/vhd-convert.ts';
import { vhdCreateCommand } from './commands/vhd-create.ts';
import { vhdInfoCommand } from './commands/vhd-info.ts';
import { vhdMapCommand } from './commands/vhd-map.ts';
import { vhdMergeCommand } from './commands/vhd-merge.ts';
import { vhdRepairCommand } from './commands/vhd-repair.ts';
import { vhdResizeCommand } from './commands/vhd-resize.ts';

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  initCommand,
  backupCommand,
  pointsCommand,
  itemsCommand,
  statsCommand,
  showCommand,
  diffCommand,
  restoreCommand,
  verifyCommand,
  scrubCommand,
  repairCommand,
  forgetCommand,
  unforgetCommand,
  pinCommand,
  unpinCommand,
  protectCommand,
  gcCommand,
  keyListCommand,
  keyAddCommand,
  keyRemoveCommand,
  keyChangeCommand,
  vhdInfoCommand,
  vhdChainCommand,
  vhdMapCommand,
  vhdCheckCommand,
  vhdRepairCommand,
  vhdCreateCommand,
  vhdConvertCommand,
  vhdMergeCommand,
  vhdResizeCommand,
  completionCommand,
];

/** Commands that stand under a word, and what the help says of that word. */
export const groups: Readonly<Record<string, string>> = {
  key: 'What opens the vault: list, add, remove, change',
  vhd: 'VHD images: info, chain, map, check, repair, create, convert, merge, resize',
};
