import { resolve } from 'node:path';
import type { Run } from './command.ts';

/** What the `vhd` commands take that look at one image. */
export const imageFilePositionals = {
  file: { type: 'string', demandOption: true, describe: 'The image' },
} as const;
export const imageFormatOptions = {
  format: { choices: ['vhd', 'raw'], requiresArg: true, describe: 'Default: found from the content' },
} as const;

interface ImageArguments {
  file: string;
  format?: 'vhd' | 'raw' | undefined;
  'parent-root'?: readonly string[] | undefined;
}

interface ImageFile {
  path: string;
  options: { format?: 'vhd' | 'raw'; parentRoots?: string[]; signal: AbortSignal };
}

/** The image that a `vhd` command names, with what opens it. */
export function imageFileOf(args: ImageArguments, run: Run): ImageFile {
  const options: ImageFile['options'] = { signal: run.signal };
  if (args.format !== undefined) options.format = args.format;
  const roots = args['parent-root'];
  if (roots !== undefined) options.parentRoots = roots.map((root) => resolve(run.cwd, root));
  return { path: resolve(run.cwd, args.file), options };
}
