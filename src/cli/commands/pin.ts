import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const pinCommand: Command = command({
  syntax: 'pin <ref>',
  describe: 'Keep a recovery point: it cannot be forgotten until it is unpinned, or until a time',
  examples: [
    ['vhdvault pin web01', 'The latest point of an item, for ever'],
    ['vhdvault pin web01@p9c1fa2b --until 2027-12-31', 'To the end of a day'],
  ],
  positionals: {
    ref: {
      type: 'string',
      demandOption: true,
      describe: 'ITEM, ITEM@latest, ITEM@ID (a forgotten point, too: gc will not free it) or ITEM@TIME',
    },
  } as const,
  options: {
    until: {
      type: 'string',
      requiresArg: true,
      describe: 'YYYY-MM-DD[Thh:mm[:ss][Z]], local time without the Z; default: for ever',
    },
    ...vaultOptions,
  } as const,
  run: async (args, run) => {
    const job = await import('../../jobs/pin-job.ts');
    const { pinText } = await import('../../report/pin-text.ts');
    if (args.until !== undefined) job.timeOf(args.until);
    const until = args.until === undefined ? {} : { until: args.until };
    const result = await inVault(args, run, { load: async () => job }, ({ pin }, session, { signal }) =>
      pin(session, args.ref, { ...until, signal }),
    );
    return { result, text: (look) => pinText(result, look) };
  },
});
