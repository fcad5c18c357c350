import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../../base/errors.ts';
import { SECTOR } from '../../base/units.ts';
import { type ByteSource, openSource } from '../../io/source.ts';
import { findFooter } from './find-footer.ts';
import { refuseForeign } from './foreign-format.ts';
import { type Layer, openLayer, rawLayer } from './layer.ts';

/**
 * Opens one file or block device by what it is. The footer at its end decides; a block device is raw unless told
 * otherwise, because every byte of it is the guest's.
 */
export async function openImageFile(path: string, format: 'vhd' | 'raw' | undefined): Promise<Layer> {
  const stats = await statImage(path);
  const source = await openSource(path);
  try {
    if (source.size === 0) {
      throw new VhdvaultError('DISK_EMPTY', `${path} is empty`, { hint: 'check the path', details: { path } });
    }
    if (format === 'raw' || (stats.isBlockDevice() && format === undefined)) {
      return wholeSectors(source, stats.isBlockDevice() ? 'block-device' : 'raw');
    }
    return await byContent(source, format === 'vhd');
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

/** A guest can write any byte of its raw disk, but not the name of the file: what only a VHD may do asks for the name. */
export function isVhdName(path: string): boolean {
  return /\.a?vhd$/i.test(path);
}

/** Opening a pipe would wait for ever, so what is no file is refused before. */
async function statImage(path: string): Promise<BigIntStats> {
  const stats = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw ioError(error, 'opening', path);
  });
  if (stats.isFile() || stats.isBlockDevice()) return stats;
  const kind = stats.isDirectory() ? 'a folder' : 'neither a file nor a block device';
  throw new VhdvaultError('DISK_NOT_A_FILE', `${path} is ${kind}`, {
    hint: 'name the image file itself',
    details: { path },
  });
}

async function byContent(source: ByteSource, mustBeVhd: boolean): Promise<Layer> {
  const { path } = source;
  const named = mustBeVhd || isVhdName(path);
  const found = await findFooter(source);
  if (found?.cut && !named) {
    throw new VhdvaultError('DISK_FORMAT_UNKNOWN', `${path} begins like a VHD but does not end like one`, {
      hint: 'use --format vhd if it is a VHD that lost its end, --format raw if it is a raw disk',
      details: { path, offset: source.size },
    });
  }
  if (found) return await openLayer(source, found);
  await refuseForeign(source);
  if (named) {
    throw new VhdvaultError('VHD_FOOTER_MISSING', `${path} has no VHD footer in its last 512 bytes`, {
      hint: 'the file is probably truncated: copy it again from where it came; --format raw reads it as a raw disk',
      details: { path, offset: Math.max(0, source.size - SECTOR), expected: 'conectix' },
    });
  }
  return wholeSectors(source, 'raw');
}

function wholeSectors(source: ByteSource, format: 'raw' | 'block-device'): Layer {
  const { path, size } = source;
  if (size % SECTOR === 0) return rawLayer(source, format);
  throw new VhdvaultError('DISK_SIZE', `${path} has ${size} bytes, which is not a multiple of 512`, {
    hint: 'a raw disk consists of whole sectors: the file is truncated, or no disk image',
    details: { path, expected: Math.ceil(size / SECTOR) * SECTOR, found: size },
  });
}
