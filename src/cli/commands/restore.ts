import { resolve } from 'node:path';
import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, rateOptions, vaultOptions } from '../options.ts';
import { rateOf } from '../parse-value.ts';

export const restoreCommand: Command = command({
  syntax: 'restore <ref>',
  describe: 'Write the disks of a recovery point as images',
  examples: [
    ['vhdvault restore web01 --to /restored/', 'All disks of the latest point, into a folder'],
    ['vhdvault restore web01@p9c4 --disk os --to os.vhd --format dynamic', 'One disk, to a file'],
    ['vhdvault restore web01 --disk os --to /dev/vg0/os --force', 'Onto a block device'],
    ['vhdvault restore web01 --to /restored/ --best-effort', 'What can still be read of a damaged vault'],
  ],
  positionals: {
    ref: {
      type: 'string',
      demandOption: true,
      describe: 'ITEM, ITEM@latest, ITEM@ID (or the beginning of an id) or ITEM@TIME (YYYY-MM-DD[Thh:mm[:ss][Z]])',
    },
  } as const,
  options: {
    to: {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'For one disk a file (.vhd, .raw) or a block device, else a folder',
    },
    disk: { type: 'string', requiresArg: true, describe: 'Only the disk of this name' },
    format: {
      choices: ['original', 'fixed', 'dynamic', 'raw'],
      requiresArg: true,
      describe: 'Default: original (a differencing source becomes dynamic)',
    },
    preallocate: { type: 'boolean', describe: 'Write zeros too, so that the space is really taken' },
    'best-effort': {
      type: 'boolean',
      describe: 'From a damaged vault: all that can be read, zeros for the rest, which is listed (exit 3)',
    },
    force: { type: 'boolean', describe: 'Overwrite what is there' },
    'dry-run': { type: 'boolean', describe: 'Only say what would be written' },
    ...rateOptions,
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    return await inVault(
      args,
      run,
      {
        worker: 'copy',
        load: () => Promise.all([import('../../jobs/restore-job.ts'), import('../../report/restore-text.ts')]),
      },
      async ([{ restore }, { restoreText }], session, watch) => {
        const result = await restore(session, args.ref, {
          ...watch,
          ...rateOf(args),
          to: resolve(run.cwd, args.to),
          ...(args.disk === undefined ? {} : { disk: args.disk }),
          ...(args.format === undefined ? {} : { format: args.format }),
          preallocate: args.preallocate ?? false,
          bestEffort: args['best-effort'] ?? false,
          force: args.force ?? false,
          dryRun: args['dry-run'] ?? false,
        });
        return { result, text: (look) => restoreText(result, look) };
      },
    );
  },
});
