import type { CheckReport } from '../../report/check-text.ts';
import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';

export const vhdCheckCommand: Command = command({
  group: 'vhd',
  syntax: 'check <file>',
  describe: 'Check every rule of the format on an image, and that its parents open; writes nothing',
  examples: [['vhdvault vhd check disk.vhd', 'Exit code 0: nothing to do; 3: act on it; 13: it is damaged']],
  positionals: imageFilePositionals,
  options: { ...imageFormatOptions, ...imageOptions, ...outputOptions },
  run: async (args, run) => {
    const { path, options } = imageFileOf(args, run);
    const { checkImage } = await import('../../image/check-image.ts');
    const { checkText } = await import('../../report/check-text.ts');
    const findings = await checkImage(path, options);
    const result: CheckReport = { path, ok: findings.every(({ severity }) => severity !== 'damage'), findings };
    return { result, text: (look) => checkText(result, look) };
  },
});
