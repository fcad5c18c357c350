import { resolve } from 'node:path';
import { checkName } from '../../base/names.ts';
import { type Command, command } from '../command.ts';
import { parseDiskArguments } from '../disk-argument.ts';
import { inVault } from '../in-vault.ts';
import { imageOptions, progressOptions, vaultOptions } from '../options.ts';

export const backupCommand: Command = command({
  syntax: 'backup <item> [disk..]',
  describe: 'Make a recovery point of an item: all its disks at one time',
  examples: [
    ['vhdvault backup web01 os.vhd data.vhd', 'Two disks, named os and data'],
    ['vhdvault backup web01 os=/dev/vg0/os-snap data=/images/d1.vhd', 'Names given'],
    ['vhdvault backup web01', 'The disks of its latest point again'],
  ],
  positionals: {
    item: { type: 'string', demandOption: true, describe: 'The name of the item, usually of a machine' },
    disk: {
      type: 'string',
      array: true,
      defaultDescription: "the latest point's disks",
      describe: 'PATH or NAME=PATH: an image, a raw file or a block device',
    },
  } as const,
  options: {
    type: {
      choices: ['auto', 'full', 'incremental'],
      requiresArg: true,
      describe: 'Default: auto: full the first time, then incremental',
    },
    format: {
      choices: ['vhd', 'raw'],
      requiresArg: true,
      describe: "What the disks are; default: found from each disk's content",
    },
    ...imageOptions,
    'boot-disk': { type: 'string', requiresArg: true, describe: 'The name of the boot disk; default: the first' },
    tag: { type: 'string', array: true, requiresArg: true, describe: 'A tag of the point (repeat for more)' },
    note: { type: 'string', requiresArg: true, describe: 'A note to keep with the point' },
    staging: {
      type: 'string',
      requiresArg: true,
      describe: 'The folder for the staging location; default: in the vault',
    },
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const item = checkName('item', args.item);
    const disks = parseDiskArguments(args.disk ?? [], {
      cwd: run.cwd,
      format: args.format,
      parentRoots: args['parent-root'],
    });
    const { backup } = await import('../../jobs/backup-job.ts');
    const { backupText } = await import('../../report/backup-text.ts');
    const result = await inVault(args, run, (session, watch) =>
      backup(session, item, disks, {
        ...watch,
        ...(args.type === undefined ? {} : { type: args.type }),
        ...(args['boot-disk'] === undefined ? {} : { bootDisk: args['boot-disk'] }),
        ...(args.tag === undefined ? {} : { tags: args.tag }),
        ...(args.note === undefined ? {} : { note: args.note }),
        ...(args['parent-root'] === undefined
          ? {}
          : { parentRoots: args['parent-root'].map((root) => resolve(run.cwd, root)) }),
      }),
    );
    return { result, text: (look) => backupText(result, look) };
  },
});
