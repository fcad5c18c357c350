import { VhdvaultError } from '../../base/errors.ts';
import type { ResizeReport } from '../../report/resize-text.ts';
import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';
import { parseSize } from '../parse-value.ts';
import { withFixedCure } from '../too-large.ts';

export const vhdResizeCommand: Command = command({
  group: 'vhd',
  syntax: 'resize <file>',
  describe: 'Make the disk of an image larger, or smaller where its end is empty; safe at any crash',
  examples: [['vhdvault vhd resize disk.vhd --size 60GiB', 'Partitions and file systems in it stay as they are']],
  positionals: imageFilePositionals,
  options: {
    size: { type: 'string', demandOption: true, requiresArg: true, describe: 'Of the disk afterwards, as 60GiB' },
    ...imageFormatOptions,
    ...imageOptions,
    ...outputOptions,
  } as const,
  run: async (args, run) => {
    const size = newSize(args.size);
    const { path, options } = imageFileOf(args, run);
    const { resizeImage } = await import('../../image/resize-image.ts');
    const { imageFacts } = await import('../../image/image-facts.ts');
    const { resizeText } = await import('../../report/resize-text.ts');
    const { before } = await resizeImage(path, size, options).catch((error: unknown) => {
      throw withFixedCure(error, LARGER);
    });
    const { facts, findings } = await imageFacts(path, options);
    const result: ResizeReport = { ...facts, before, findings };
    return { result, text: (look) => resizeText(result, look) };
  },
});

const LARGER = 'make it a fixed VHD first, whose size has no limit: vhdvault vhd convert FILE NEW.vhd --format fixed';

function newSize(text: string): number {
  if (!/^[+-]/.test(text)) return parseSize('--size', text);
  throw new VhdvaultError('USAGE', `--size is the size of the disk afterwards, not what is added or taken: "${text}"`, {
    hint: 'write the whole size, as 60GiB (`vhdvault vhd info FILE` tells what it is now)',
    details: { option: '--size', value: text },
  });
}
