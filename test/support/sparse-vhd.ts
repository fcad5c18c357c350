import { noise } from '../../fixtures/noise.ts';
import { createPlannedImage, DEFAULT_BLOCK_SIZE, openImageWriter, planImage, systemRandom } from '../../src/index.ts';

/** Makes a dynamic VHD of `size` bytes in which `data` bytes of noise lie scattered over the whole disk, by blocks of 2 MiB. */
export async function makeSparseVhd(path: string, { size, data }: { size: number; data: number }): Promise<void> {
  const every = Math.floor(size / data);
  const plan = planImage({
    format: 'vhd-dynamic',
    size,
    isAllocated: (block) => block % every === 0,
    now: Date.now(),
    random: systemRandom,
  });
  await createPlannedImage(path, plan);
  await using writer = await openImageWriter(path, plan);
  for (let block = 0; block * DEFAULT_BLOCK_SIZE < size; block += every) {
    await writer.write(block * DEFAULT_BLOCK_SIZE, noise(block, DEFAULT_BLOCK_SIZE));
  }
}
