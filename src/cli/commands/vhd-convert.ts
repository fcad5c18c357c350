import { extname, resolve } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { VhdvaultError } from '../../base/errors.ts';
import { systemRandom } from '../../base/random.ts';
import type { ConvertReport } from '../../report/convert-text.ts';
import { type Command, command } from '../command.ts';
import { openDisplay } from '../display.ts';
import { imageOptions, outputOptions, progressOptions } from '../options.ts';

type ConvertFormat = 'fixed' | 'dynamic' | 'raw';

export const vhdConvertCommand: Command = command({
  group: 'vhd',
  syntax: 'convert <source> <target>',
  describe: 'Write an image again as another type; a chain becomes one image',
  examples: [
    ['vhdvault vhd convert snapshot.avhd flat.vhd', 'A differencing chain into one dynamic image'],
    ['vhdvault vhd convert disk.vhd disk.raw', 'A raw image'],
  ],
  positionals: {
    source: { type: 'string', demandOption: true, describe: 'The image to read' },
    target: { type: 'string', demandOption: true, describe: 'The file to write' },
  } as const,
  options: {
    format: {
      choices: ['fixed', 'dynamic', 'raw'],
      requiresArg: true,
      describe: 'Default: raw where TARGET ends in .raw or .img, else dynamic',
    },
    force: { type: 'boolean', describe: 'Overwrite TARGET' },
    ...imageOptions,
    ...outputOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const source = resolve(run.cwd, args.source);
    const target = resolve(run.cwd, args.target);
    const format = args.format ?? formatFromEnding(target);
    const { convertImage } = await import('../../image/convert-image.ts');
    const { convertText } = await import('../../report/convert-text.ts');
    const started = systemClock.monotonic();
    using display = await openDisplay(args, run);
    const disk = { name: args.target, read: 0, changed: 0, stored: 0 };
    const converted = await convertImage(source, target, {
      format,
      force: args.force ?? false,
      parentRoots: (args['parent-root'] ?? []).map((root) => resolve(run.cwd, root)),
      signal: run.signal,
      onProgress: ({ done, total }) =>
        display.onProgress({ phase: 'writing', done, total, disks: [{ ...disk, size: total, done }] }),
      random: systemRandom,
      now: systemClock.now(),
    });
    const seconds = (systemClock.monotonic() - started) / 1000;
    const result: ConvertReport = { source, ...converted, seconds };
    return { result, text: (look) => convertText(result, look) };
  },
});

function formatFromEnding(path: string): ConvertFormat {
  const ending = extname(path).toLowerCase();
  if (ending === '.raw' || ending === '.img') return 'raw';
  if (ending === '.vhd' || ending === '.avhd') return 'dynamic';
  throw new VhdvaultError('USAGE', `the ending of ${path} does not tell its format`, {
    hint: 'give --format fixed, dynamic or raw',
  });
}
