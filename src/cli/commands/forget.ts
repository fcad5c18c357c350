import { VhdvaultError } from '../../base/errors.ts';
import { checkName } from '../../base/names.ts';
import type { RetentionRules, WhatToForget } from '../../jobs/forget-types.ts';
import { type Command, command } from '../command.ts';
import { gcSpanOptions, gcSpans } from '../gc-spans.ts';
import { inVault } from '../in-vault.ts';
import { clockOptions, progressOptions, vaultOptions } from '../options.ts';
import { parseKeepCount } from '../parse-value.ts';

const count = (what: string) =>
  ({ type: 'string', requiresArg: true, group: 'Keep rules:', describe: `Keep ${what}` }) as const;

const ruleOptions = {
  'keep-last': count('so many of the newest points'),
  'keep-hourly': count('the newest point of each of so many hours that have points'),
  'keep-daily': count('the newest point of each of so many days'),
  'keep-weekly': count('the newest point of each of so many weeks'),
  'keep-monthly': count('the newest point of each of so many months'),
  'keep-yearly': count('the newest point of each of so many years'),
  'keep-within': count('all that is at most so much older than the latest point: 30d, 2w, 1y6mo'),
  zone: {
    type: 'string',
    requiresArg: true,
    group: 'Keep rules:',
    describe: "The time zone whose days count, as Europe/Berlin; default: this machine's",
  },
} as const;

type RuleArguments = { readonly [Name in keyof typeof ruleOptions]?: string | undefined };

export const forgetCommand: Command = command({
  syntax: 'forget [ref..]',
  describe: 'Forget recovery points: by name, or what no rule keeps',
  examples: [
    [
      'vhdvault forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run',
      'What rules would do, for all items',
    ],
    ['vhdvault forget web01 --keep-last 3 --gc', 'Of one item, and give up and free what earlier runs forgot'],
    ['vhdvault forget web01@p9c1fa2b', 'One point'],
  ],
  positionals: {
    ref: {
      type: 'string',
      array: true,
      describe: 'Points: ITEM@ID, ITEM@TIME, ITEM@latest; with keep rules items, default: all',
    },
  } as const,
  options: {
    ...ruleOptions,
    force: { type: 'boolean', describe: 'Also the latest point of an item, where it is named' },
    'dry-run': { type: 'boolean', describe: 'Only tell what would be forgotten, and why the others are kept' },
    gc: {
      type: 'boolean',
      describe: 'Run a gc afterwards: it gives up what was forgotten long ago, and frees what was given up a while ago',
    },
    ...gcSpanOptions,
    ...vaultOptions,
    ...clockOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const what = whatToForget(args.ref ?? [], args);
    const job = await import('../../jobs/forget-job.ts');
    const { forgetText } = await import('../../report/forget-text.ts');
    const options = {
      ...{ force: args.force ?? false, dryRun: args['dry-run'] ?? false, gc: args.gc ?? false },
      ...gcSpans(args),
      acceptClock: args['accept-clock'] ?? false,
    };
    job.checkWhat(what, options);
    const result = await inVault(args, run, { load: async () => job }, ({ forget }, session, watch) =>
      forget(session, what, { ...watch, ...options }),
    );
    return { result, text: (look) => forgetText(result, look, args.zone) };
  },
});

function whatToForget(words: readonly string[], args: RuleArguments): WhatToForget {
  const rules = rulesOf(args);
  if (!rules) {
    if (args.zone === undefined) return { refs: words };
    throw new VhdvaultError('USAGE', '--zone goes with keep rules', { hint: 'give one, as --keep-daily 7' });
  }
  const point = words.find((word) => word.includes('@'));
  if (point === undefined) return { items: words.map((word) => checkName('item', word)), rules };
  throw new VhdvaultError('USAGE', `${point} names a point, and keep rules are for whole items`, {
    hint: `name the item, as ${point.replace(/@.*/, '')}, or leave the rules out`,
  });
}

/** undefined: none was given. */
function rulesOf(args: RuleArguments): RetentionRules | undefined {
  const counted = (['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const).flatMap((rule) => {
    const text = args[`keep-${rule}`];
    return text === undefined ? [] : [[rule, parseKeepCount(`--keep-${rule}`, text)] as const];
  });
  const within = args['keep-within'];
  if (counted.length === 0 && within === undefined) return undefined;
  return {
    ...Object.fromEntries(counted),
    ...(within !== undefined && { within }),
    ...(args.zone !== undefined && { zone: args.zone }),
  };
}
