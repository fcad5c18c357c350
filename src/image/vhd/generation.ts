import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ioError, systemCode } from '../../base/errors.ts';
import type { Generation } from '../../disk/disk.ts';
import { footerRange } from './find-footer.ts';
import type { Layer } from './layer.ts';

/**
 * The stamp of one file of a chain: who the open file is and who the path is now (so a file replaced by rename is seen),
 * their sizes and times, and the footer read again, for writers that keep the times; and as what it was read. A block device
 * tells no times.
 */
export async function generationOf(layer: Layer): Promise<Generation> {
  const { source, format } = layer;
  const { path, handle } = source;
  if (format === 'block-device') {
    const stats = await handle.stat({ bigint: true });
    return { path, stamp: `device ${stats.dev}:${stats.ino}:${stats.rdev} ${source.size}`, timeless: true };
  }
  const open = await handle.stat({ bigint: true }).catch((error: unknown) => {
    throw ioError(error, 'looking at', path);
  });
  const footer = layer.footer ? ` ${await footerHash(layer)}` : '';
  return { path, stamp: `${format} ${stampOf(open)} ${await pathStamp(path)}${footer}` };
}

function stampOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}

async function pathStamp(path: string): Promise<string> {
  try {
    return stampOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return 'gone';
    throw ioError(error, 'looking at', path);
  }
}

async function footerHash({ source }: Layer): Promise<string> {
  const { offset, length } = footerRange(source.size);
  const bytes = new Uint8Array(length);
  const { bytesRead } = await source.handle.read(bytes, 0, length, offset).catch((error: unknown) => {
    throw ioError(error, `reading at byte ${offset} of`, source.path);
  });
  return createHash('sha256').update(bytes.subarray(0, bytesRead)).digest('hex').slice(0, 32);
}
