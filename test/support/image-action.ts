import { noise } from '../../fixtures/noise.ts';
import {
  type CreateImageOptions,
  createImage,
  isError,
  mergeImage,
  openWritable,
  repairImage,
  resizeImage,
} from '../../src/image/vhd-parser.ts';

/** One thing that is done to an image, as data: run as a program of its own, it can be killed. */
export type ImageAction =
  | { do: 'create'; path: string; options: CreateImageOptions }
  | { do: 'extend'; path: string; writes: readonly ActionWrite[] }
  | { do: 'merge'; path: string; into: 'parent' | 'base'; parentRoots: readonly string[] }
  | { do: 'resize'; path: string; size: number; format?: 'raw' }
  | { do: 'repair'; path: string };

/** Noise for a range of the disk; after `sync` ones it is made durable. */
export interface ActionWrite {
  offset: number;
  length: number;
  seed: number;
  sync?: boolean;
}

export function bytesOf({ length, seed }: ActionWrite): Uint8Array {
  return noise(seed, length);
}

export async function perform(action: ImageAction): Promise<void> {
  switch (action.do) {
    case 'create': {
      await using _disk = await createImage(action.path, action.options);
      return;
    }
    case 'extend': {
      await using disk = await openWritable(action.path);
      for (const one of action.writes) {
        await disk.write(one.offset, bytesOf(one));
        if (one.sync) await disk.sync();
      }
      return;
    }
    case 'merge':
      await mergeImage(action.path, { into: action.into, parentRoots: action.parentRoots });
      return;
    case 'resize':
      await resizeImage(action.path, action.size, action.format ? { format: action.format } : {});
      return;
    case 'repair':
      await repairImage(action.path);
      return;
    default:
      action satisfies never;
  }
}

if (import.meta.main) {
  try {
    await perform(JSON.parse(process.argv[2]!) as ImageAction);
  } catch (error) {
    process.stderr.write(`${isError(error) ? error.code : 'BUG'}\n${String((error as Error).stack)}\n`);
    process.exitCode = 1;
  }
}
