import { systemClock } from '../../base/clock.ts';
import type { MergeReport } from '../../report/merge-text.ts';
import { type Command, command } from '../command.ts';
import { openDisplay } from '../display.ts';
import { imageFileOf, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions, progressOptions } from '../options.ts';

export const vhdMergeCommand: Command = command({
  group: 'vhd',
  syntax: 'merge <child>',
  describe: 'Write what a differencing image holds into its parent, and remove it; safe at any crash',
  examples: [
    ['vhdvault vhd merge snapshot.avhd', 'Into its parent; children of snapshot.avhd then name that'],
    ['vhdvault vhd merge snapshot.avhd --base', 'The whole chain, into the image that has no parent'],
  ],
  positionals: { child: { type: 'string', demandOption: true, describe: 'The differencing image' } } as const,
  options: {
    base: { type: 'boolean', describe: 'Merge all images of the chain, not only this one' },
    ...imageFormatOptions,
    ...imageOptions,
    ...outputOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const { path, options } = imageFileOf({ ...args, file: args.child }, run);
    const { mergeImage } = await import('../../image/merge-image.ts');
    const { mergeText } = await import('../../report/merge-text.ts');
    const started = systemClock.monotonic();
    using display = await openDisplay(args, run);
    const disk = { name: args.child, read: 0, changed: 0, stored: 0 };
    const merged = await mergeImage(path, {
      ...options,
      into: args.base ? 'base' : 'parent',
      onProgress: ({ done, total }) =>
        display.onProgress({ phase: 'writing', done, total, disks: [{ ...disk, size: total, done }] }),
    });
    const result: MergeReport = { ...merged, seconds: (systemClock.monotonic() - started) / 1000 };
    return { result, text: (look) => mergeText(result, look) };
  },
});
