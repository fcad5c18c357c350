import { type Command, command } from '../command.ts';
import { openDisplay } from '../display.ts';
import { keylessOptions, progressOptions } from '../options.ts';
import { parseCount } from '../parse-value.ts';
import { vaultAddress } from '../session.ts';

export const scrubCommand: Command = command({
  syntax: 'scrub',
  describe:
    'Compare packs, index segments and lists with their names, which are hashes; follow the chain of the log: needs no key, writes nothing',
  examples: [['vhdvault scrub --vault /mnt/copy/vault', 'Of a copy on a machine that must not know the passphrase']],
  positionals: {},
  options: { ...keylessOptions, ...progressOptions } as const,
  run: async (args, run) => {
    const address = vaultAddress(args.vault, run);
    const threads = args.threads === undefined ? {} : { threads: parseCount('--threads', args.threads) };
    const { scrub } = await import('../../jobs/scrub-job.ts');
    const { scrubText } = await import('../../report/scrub-text.ts');
    using display = await openDisplay(args, run);
    const result = await scrub(address, { ...threads, signal: run.signal, onProgress: display.onProgress });
    return { result, text: (look) => scrubText(result, look) };
  },
});
