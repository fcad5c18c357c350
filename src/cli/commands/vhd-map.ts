import type { MapResult } from '../../report/map-text.ts';
import { type Command, command } from '../command.ts';
import { imageFileOf, imageFilePositionals, imageFormatOptions } from '../image-file.ts';
import { imageOptions, outputOptions } from '../options.ts';

export const vhdMapCommand: Command = command({
  group: 'vhd',
  syntax: 'map <file>',
  describe: "List the extents of an image's disk: data, zero, or its parent's",
  examples: [['vhdvault vhd map disk.vhd --json', 'Offsets and lengths in bytes']],
  positionals: imageFilePositionals,
  options: { ...imageFormatOptions, ...imageOptions, ...outputOptions },
  run: async (args, run) => {
    const { path, options } = imageFileOf(args, run);
    const { openDisk } = await import('../../image/open-disk.ts');
    const { mapText } = await import('../../report/map-text.ts');
    await using disk = await openDisk(path, options);
    const extents: MapResult['extents'] = [];
    for await (const { offset, length, kind } of disk.extents()) extents.push({ offset, length, kind });
    const result: MapResult = { file: path, format: disk.format, virtualSize: disk.size, extents };
    return { result, text: () => mapText(result) };
  },
});
