import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';

export const vhdInfoCommand: Command = command({
  group: 'vhd',
  syntax: 'info <file>',
  describe: "Show an image's footer, header, locators, allocation and chain",
  examples: [['vhdvault vhd info disk.vhd', 'Named as in the specification']],
  positionals: imageFilePositionals,
  options: { ...imageFormatOptions, ...imageOptions, ...outputOptions },
  run: async (args, run) => {
    const { path, options } = imageFileOf(args, run);
    const { imageFacts } = await import('../../image/image-facts.ts');
    const { factsText } = await import('../../report/facts-text.ts');
    const { facts, findings } = await imageFacts(path, options);
    const ok = findings.every((finding) => finding.severity !== 'damage');
    return {
      result: { ...facts, findings, ok },
      text: (look) => factsText(facts, look, findings),
    };
  },
});
