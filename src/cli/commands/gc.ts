import { type Command, command } from '../command.ts';
import { gcSpanOptions, gcSpans } from '../gc-spans.ts';
import { inVault } from '../in-vault.ts';
import { clockOptions, progressOptions, vaultOptions } from '../options.ts';

export const gcCommand: Command = command({
  syntax: 'gc',
  describe: 'Free what no point needs; also beside running backups',
  examples: [
    ['vhdvault gc --dry-run', 'What would be freed, now and later'],
    ['vhdvault gc', 'In two steps: what it gives up now, the gc of tomorrow deletes'],
    ['vhdvault gc --soft-delete 0s --grace 0s', 'At once, also what could still be brought back'],
  ],
  positionals: {},
  options: {
    'dry-run': { type: 'boolean', describe: 'Only tell what would be done' },
    ...gcSpanOptions,
    ...vaultOptions,
    ...clockOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const options = {
      dryRun: args['dry-run'] ?? false,
      ...gcSpans(args),
      acceptClock: args['accept-clock'] ?? false,
    };
    const { gcText } = await import('../../report/gc-text.ts');
    const result = await inVault(args, run, { load: () => import('../../jobs/gc-job.ts') }, ({ gc }, session, watch) =>
      gc(session, { ...watch, ...options }),
    );
    return { result, text: (look) => gcText(result, look) };
  },
});
