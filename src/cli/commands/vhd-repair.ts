import { resolve } from 'node:path';
import type { RepairReport } from '../../report/repair-text.ts';
import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';

export const vhdRepairCommand: Command = command({
  group: 'vhd',
  syntax: 'repair <file>',
  describe: 'Mend what can be mended without guessing: a footer, its copy, garbage behind the last block',
  examples: [
    ['vhdvault vhd repair disk.vhd --dry-run', 'Only say what would be done'],
    ['vhdvault vhd repair disk.vhd', 'After a copy of the metadata was made; exit code 13: damage is left'],
  ],
  positionals: imageFilePositionals,
  options: {
    'dry-run': { type: 'boolean', describe: 'Only say what would be done' },
    'copy-to': {
      type: 'string',
      requiresArg: true,
      describe: 'A file or folder for the copy of the metadata; default: beside FILE',
    },
    ...imageOptions,
    ...outputOptions,
  } as const,
  run: async (args, run) => {
    const { path, options } = imageFileOf({ file: args.file, 'parent-root': args['parent-root'] }, run);
    const dryRun = args['dry-run'] ?? false;
    const { repairImage } = await import('../../image/repair-image.ts');
    const { repairText } = await import('../../report/repair-text.ts');
    const copyTo = args['copy-to'];
    const repaired = await repairImage(path, {
      ...options,
      dryRun,
      ...(copyTo === undefined ? {} : { copyTo: resolve(run.cwd, copyTo) }),
    });
    const ok = repaired.findings.every(({ severity }) => severity !== 'damage');
    const result: RepairReport = { ...repaired, dryRun, ok };
    return { result, text: (look) => repairText(result, look) };
  },
});
