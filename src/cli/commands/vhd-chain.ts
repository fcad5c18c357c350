import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';

export const vhdChainCommand: Command = command({
  group: 'vhd',
  syntax: 'chain <file>',
  describe: 'Show an image with its parents as a tree, and what else depends on them',
  examples: [
    ['vhdvault vhd chain snapshot.avhd', 'Looks for other children in the folders of the chain, and one folder deeper'],
  ],
  positionals: imageFilePositionals,
  options: { ...imageFormatOptions, ...imageOptions, ...outputOptions },
  run: async (args, run) => {
    const { path, options } = imageFileOf(args, run);
    const { imageChain } = await import('../../image/image-chain.ts');
    const { chainText } = await import('../../report/chain-text.ts');
    const { facts, findings, children } = await imageChain(path, options);
    const ok = findings.every((finding) => finding.severity !== 'damage');
    const result = { ...facts, children, findings, ok };
    return { result, text: (look) => chainText(result, look) };
  },
});
