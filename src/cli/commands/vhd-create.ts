import { dirname, resolve } from 'node:path';
import { VhdvaultError } from '../../base/errors.ts';
import type { CreateReport } from '../../report/create-text.ts';
import { type Command, command } from '../command.ts';
import { imageFileOf } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';
import { parseSize } from '../parse-value.ts';
import { withFixedCure } from '../too-large.ts';

export const vhdCreateCommand: Command = command({
  group: 'vhd',
  syntax: 'create <file>',
  describe: 'Make a new image: of zeros, or a differencing one that reads as its parent',
  examples: [
    ['vhdvault vhd create disk.vhd --size 40GiB', 'A dynamic image'],
    [
      'vhdvault vhd create snapshot.avhd --parent disk.vhd',
      'Takes all that is written from now on; leave disk.vhd as it is',
    ],
    ['vhdvault vhd create disk.vhd --size 4TiB --type fixed', 'Dynamic and differencing images end at 2040 GiB'],
  ],
  positionals: { file: { type: 'string', demandOption: true, describe: 'The file to write' } } as const,
  options: {
    size: {
      type: 'string',
      requiresArg: true,
      describe: 'Of the disk, as 40GiB; with --parent default: as large as that',
    },
    type: {
      choices: ['fixed', 'dynamic', 'differencing'],
      requiresArg: true,
      describe: 'Default: dynamic, with --parent differencing',
    },
    parent: { type: 'string', requiresArg: true, describe: 'The image that a differencing one is based on' },
    'windows-parent-path': {
      type: 'string',
      requiresArg: true,
      describe: 'Where the parent will lie on Windows, as D:\\vm\\disk.vhd',
    },
    'block-size': { type: 'string', requiresArg: true, describe: 'Default: 2MiB, which every program reads' },
    force: { type: 'boolean', describe: 'Overwrite FILE' },
    ...imageOptions,
    ...outputOptions,
  } as const,
  run: async (args, run) => {
    const { path, options } = imageFileOf({ file: args.file, 'parent-root': args['parent-root'] }, run);
    const type = typeFrom(args);
    const blockSize = args['block-size'] === undefined ? undefined : parseSize('--block-size', args['block-size']);
    const windowsParentPath = args['windows-parent-path'];
    const { createImage } = await import('../../image/create-image.ts');
    const { createText } = await import('../../report/create-text.ts');
    const parent = args.parent === undefined ? undefined : resolve(run.cwd, args.parent);
    await using image = await createImage(path, {
      ...options,
      type,
      ...(args.size === undefined ? {} : { size: parseSize('--size', args.size) }),
      ...(parent === undefined ? {} : { parent }),
      ...(blockSize === undefined ? {} : { blockSize }),
      ...(windowsParentPath === undefined ? {} : { windowsParentPath }),
      force: args.force ?? false,
    }).catch((error: unknown) => {
      throw withFixedCure(error, cureFor(parent));
    });
    const { facts, findings } = image;
    const odd = blockSize === undefined ? undefined : findings.find(({ code }) => code === 'VHD_BLOCK_SIZE');
    const warnings = odd ? [`${odd.what}: leave --block-size out`] : [];
    const result: CreateReport = { ...facts, path, findings, warnings, notices: noticesOf(facts) };
    return { result, text: (look) => createText(result, look) };
  },
});

function typeFrom(args: {
  type?: 'fixed' | 'dynamic' | 'differencing' | undefined;
  parent?: string | undefined;
  'block-size'?: string | undefined;
  'windows-parent-path'?: string | undefined;
}): 'fixed' | 'dynamic' | 'differencing' {
  const type = args.type ?? (args.parent === undefined ? 'dynamic' : 'differencing');
  const surplus = [
    type === 'fixed' && args['block-size'] !== undefined ? '--block-size' : '',
    type !== 'differencing' && args['windows-parent-path'] !== undefined ? '--windows-parent-path' : '',
  ].find((option) => option !== '');
  if (surplus === undefined) return type;
  throw new VhdvaultError('USAGE', `a ${type} image has no use for ${surplus}`, { hint: `leave ${surplus} out` });
}

function cureFor(parent: string | undefined): string {
  return parent === undefined
    ? 'use a fixed VHD, whose size has no limit (--type fixed), or a raw disk'
    : 'copy the parent to a fixed VHD, whose size has no limit: vhdvault vhd convert PARENT FILE --format fixed';
}

/** Who opens it must allow the parent's folder. */
function noticesOf({ path, parent }: { path: string; parent: { path: string } | null }): string[] {
  const folder = parent && dirname(parent.path);
  if (folder === null || folder === dirname(path)) return [];
  return [`the parent lies in another folder: give --parent-root ${folder} to commands that read the image`];
}
