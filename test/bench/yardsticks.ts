import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../../fixtures/noise.ts';
import type { Bench } from './bench-run.ts';
import { perform } from './measure.ts';

const MIB = 1024 * 1024;
const LOOP = join(import.meta.dirname, 'bare-loop.ts');

/** Plain programs that tell what the machine can do. Each ends with nothing left behind, and gives seconds. */
export interface Yardsticks {
  /** The steps of a first backup without the backup. */
  bareLoop(disk: string, codec: 'lz4' | 'zstd'): Promise<number>;
  /** Bytes that cannot be compressed made durable. With bs=4M ext4 takes several times as long. */
  durable(bytes: number): Promise<number>;
  hash(disk: string): Promise<number | undefined>;
  convert(disk: string, subformat: 'dynamic' | 'fixed'): Promise<number | undefined>;
  copy(file: string): Promise<number>;
}

export function yardsticks({ folder, tools }: Bench): Yardsticks {
  const [out, random] = [join(folder, 'yardstick'), join(folder, 'random')];
  let written = -1;
  const timed = async (program: string, ...words: string[]): Promise<number> => {
    await rm(out, { force: true });
    const { seconds } = await perform([{ program, words }]);
    await rm(out, { force: true });
    return seconds;
  };
  return {
    bareLoop: async (disk, codec) => {
      const { stdout } = await perform([
        { program: process.execPath, words: [LOOP, disk, '--codec', codec, '--threads', '2', '--out', folder] },
      ]);
      return Number.parseFloat(stdout);
    },
    durable: async (bytes) => {
      if (written !== bytes) await writeNoise(random, bytes);
      written = bytes;
      return await timed('dd', `if=${random}`, `of=${out}`, 'bs=1M', 'conv=fsync', 'status=none');
    },
    hash: async (disk) => (tools.b3sum ? await timed(tools.b3sum, '--num-threads', '2', disk) : undefined),
    convert: async (disk, subformat) => {
      const options = `subformat=${subformat},force_size=on`;
      const words = ['convert', '-f', 'vpc', '-O', 'vpc', '-o', options, disk, out];
      return tools.qemuImg ? await timed(tools.qemuImg, ...words) : undefined;
    },
    copy: (file) => timed('cp', file, out),
  };
}

async function writeNoise(path: string, bytes: number): Promise<void> {
  await writeFile(path, '');
  for (let at = 0; at < bytes; at += MIB)
    await writeFile(path, noise(at / MIB, Math.min(MIB, bytes - at)), { flag: 'a' });
}
