import { resolve } from 'node:path';
import { checkName } from '../../base/names.ts';
import type { BackupOptions } from '../../jobs/backup-types.ts';
import { parseDiskArguments } from '../../jobs/disk-argument.ts';
import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { clockOptions, imageOptions, progressOptions, rateOptions, vaultOptions } from '../options.ts';
import { parseDuration, parseSpan, rateOf } from '../parse-value.ts';

const hookOptions = {
  consistency: {
    choices: ['crash', 'file', 'app'],
    requiresArg: true,
    group: 'Consistency:',
    describe: 'What the snapshot is worth (default: crash); recorded only if the hooks succeed',
  },
  pre: {
    type: 'string',
    requiresArg: true,
    group: 'Consistency:',
    describe: 'Command to run before the disks are opened: freeze, snapshot',
  },
  post: {
    type: 'string',
    requiresArg: true,
    group: 'Consistency:',
    describe: 'Command to run afterwards, always; VHDVAULT_OUTCOME, _POINT, _ERROR tell it what happened',
  },
  'hook-timeout': {
    type: 'string',
    requiresArg: true,
    group: 'Consistency:',
    describe: 'How long each of the two may take: 90s, 10m, 1h; default: 30m',
  },
  'require-consistency': {
    type: 'boolean',
    group: 'Consistency:',
    describe: 'Make no point when --pre fails (else a crash-consistent one, with a warning)',
  },
} as const;

export const backupCommand: Command = command({
  syntax: 'backup <item> [disk..]',
  describe: 'Make a recovery point of an item: all its disks at one time',
  examples: [
    ['vhdvault backup web01 os.vhd data.vhd', 'Two disks, named os and data'],
    ['vhdvault backup web01 os=/dev/vg0/os-snap data=/images/d1.vhd', 'Names given'],
    ['vhdvault backup web01', 'The disks of its latest point again'],
    ["vhdvault backup web01 --pre './freeze.sh' --post './thaw.sh' --consistency app", 'With a snapshot made for it'],
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
      choices: ['auto', 'full', 'incremental', 'differential'],
      requiresArg: true,
      describe: 'auto (default): full the first time, then incremental; differential: against the last full point',
    },
    'full-scan-every': {
      type: 'string',
      requiresArg: true,
      describe: "How often to read also the parents that are the latest point's disks; default: 30d, always: 0s",
    },
    'dry-run': { type: 'boolean', describe: 'Only read the disks and say what changed; stores nothing, runs no hook' },
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
    ...hookOptions,
    ...clockOptions,
    ...rateOptions,
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
    const options = backupOptions(args, run.cwd);
    if (args['dry-run']) {
      return await inVault(
        args,
        run,
        {
          worker: 'scan',
          load: () => Promise.all([import('../../jobs/preview-job.ts'), import('../../report/preview-text.ts')]),
        },
        async ([{ previewBackup }, { previewText }], session, watch) => {
          const result = await previewBackup(session, item, disks, { ...watch, ...options });
          return { result, text: (look) => previewText(result, look) };
        },
      );
    }
    return await inVault(
      args,
      run,
      {
        worker: 'scan',
        load: () => Promise.all([import('../../jobs/backup-job.ts'), import('../../report/backup-text.ts')]),
      },
      async ([{ backup }, { backupText }], session, watch) => {
        const result = await backup(session, item, disks, { ...watch, ...options });
        return { result, text: (look) => backupText(result, look) };
      },
    );
  },
});

/** The words that are options of the run. */
function backupOptions(
  args: {
    type?: BackupOptions['type'];
    'boot-disk'?: string | undefined;
    tag?: string[] | undefined;
    note?: string | undefined;
    'parent-root'?: string[] | undefined;
    consistency?: BackupOptions['consistency'];
    pre?: string | undefined;
    post?: string | undefined;
    'hook-timeout'?: string | undefined;
    'require-consistency'?: boolean | undefined;
    'full-scan-every'?: string | undefined;
    'limit-rate'?: string | undefined;
    'accept-clock'?: boolean | undefined;
  },
  cwd: string,
): BackupOptions {
  return {
    ...(args.type !== undefined && { type: args.type }),
    ...(args['boot-disk'] !== undefined && { bootDisk: args['boot-disk'] }),
    ...(args.tag !== undefined && { tags: args.tag }),
    ...(args.note !== undefined && { note: args.note }),
    ...(args['parent-root'] !== undefined && { parentRoots: args['parent-root'].map((root) => resolve(cwd, root)) }),
    ...(args.consistency !== undefined && { consistency: args.consistency }),
    ...(args.pre !== undefined && { pre: args.pre }),
    ...(args.post !== undefined && { post: args.post }),
    ...(args['hook-timeout'] !== undefined && { hookTimeout: parseDuration('--hook-timeout', args['hook-timeout']) }),
    ...(args['require-consistency'] !== undefined && { requireConsistency: args['require-consistency'] }),
    ...(args['full-scan-every'] !== undefined && {
      fullScanEvery: parseSpan('--full-scan-every', args['full-scan-every']),
    }),
    ...rateOf(args),
    ...(args['accept-clock'] !== undefined && { acceptClock: args['accept-clock'] }),
  };
}
