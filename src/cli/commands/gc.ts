import { VhdvaultError } from '../../base/errors.ts';
import { parseDuration } from '../../policy/duration.ts';
import { type Command, command } from '../command.ts';
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
    'soft-delete': {
      type: 'string',
      default: '14d',
      requiresArg: true,
      describe: 'How long a forgotten point can be brought back',
    },
    grace: {
      type: 'string',
      default: '24h',
      requiresArg: true,
      describe: 'How long what was given up stays for who reads it now, and an interrupted backup for the next run',
    },
    ...vaultOptions,
    ...clockOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const options = {
      dryRun: args['dry-run'] ?? false,
      softDelete: spanOf('--soft-delete', args['soft-delete']),
      grace: spanOf('--grace', args.grace),
      acceptClock: args['accept-clock'] ?? false,
    };
    const { gc } = await import('../../jobs/gc-job.ts');
    const { gcText } = await import('../../report/gc-text.ts');
    const result = await inVault(args, run, (session, watch) => gc(session, { ...watch, ...options }));
    return { result, text: (look) => gcText(result, look) };
  },
});

/** Months are of different lengths, and here no calendar tells which are meant. */
function spanOf(option: string, text: string): number {
  const { months, milliseconds } = parseDuration(text, option);
  if (months === 0) return milliseconds;
  throw new VhdvaultError('USAGE', `${option} takes no months or years: "${text}"`, {
    hint: `write days, as ${option} 30d`,
    details: { option, value: text },
  });
}
