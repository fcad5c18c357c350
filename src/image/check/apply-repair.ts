import { type FileHandle, open } from 'node:fs/promises';
import { type Cancellable, throwIfAborted } from '../../base/abort.ts';
import { ioError } from '../../base/errors.ts';
import { writeFully } from '../../io/write-fully.ts';
import type { RepairStep } from './plan-repair.ts';

/** Opens an image for changes; before the copy is made, so that one is not made in vain. @throws NO_PERMISSION, IO */
export async function openForRepair(path: string): Promise<FileHandle> {
  return await open(path, 'r+').catch((error: unknown) => {
    throw ioError(error, 'opening for writing', path);
  });
}

/** Does the steps, each durable before the next. @throws NO_SPACE, IO, CANCELLED */
export async function applyRepair(
  handle: FileHandle,
  path: string,
  steps: readonly RepairStep[],
  { signal }: Cancellable,
): Promise<void> {
  for (const step of steps) {
    throwIfAborted(signal);
    await (step.bytes ? put(handle, path, step.offset, step.bytes) : cut(handle, path, step.offset));
    await handle.sync().catch((error: unknown) => {
      throw ioError(error, 'syncing', path);
    });
  }
}

/** When the file cannot grow, it is as long as it was. */
async function put(handle: FileHandle, path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const { size } = await handle.stat();
  try {
    await writeFully(handle, path, offset, bytes);
  } catch (error) {
    if (offset + bytes.byteLength > size) await handle.truncate(size).catch(() => {});
    throw error;
  }
}

async function cut(handle: FileHandle, path: string, size: number): Promise<void> {
  await handle.truncate(size).catch((error: unknown) => {
    throw ioError(error, 'setting the size of', path);
  });
}
