import { createImage } from '../../src/image/create-image.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';

/** Of the images, unlike most vaults'. */
const BLOCK = 8 * 1024;

/**
 * A dynamic VHD that stores only what is not zero, in place of what was there. As a child it stores every other block, and its
 * parent, which lies beside it, the rest.
 */
export async function vhdDisk(
  path: string,
  bytes: Uint8Array,
  { isChild = false, blockSize = BLOCK }: { isChild?: boolean; blockSize?: number } = {},
): Promise<NamedDisk> {
  const common = { size: bytes.byteLength, blockSize, force: true };
  const parent = `${path}.parent.vhd`;
  if (isChild) {
    await write(parent, { ...common, type: 'dynamic' }, bytes, (block) => block % 2 === 0);
    await write(path, { ...common, type: 'differencing', parent }, bytes, (block) => block % 2 === 1);
  } else await write(path, { ...common, type: 'dynamic' }, bytes, () => true);
  return { name: 'disk', address: { kind: 'file', path } };
}

async function write(
  path: string,
  options: Parameters<typeof createImage>[1] & { blockSize: number },
  bytes: Uint8Array,
  isStored: (block: number) => boolean,
): Promise<void> {
  await using image = await createImage(path, options);
  for (let block = 0; block * options.blockSize < bytes.byteLength; block++) {
    const at = block * options.blockSize;
    const content = bytes.subarray(at, at + options.blockSize);
    if (isStored(block) && content.some((byte) => byte !== 0)) await image.write(at, content);
  }
}
