import { throwIfAborted } from '../base/abort.ts';
import type { Finding } from '../base/finding.ts';
import { asFinding } from './check/report.ts';
import type { OpenDiskOptions } from './open-disk.ts';
import { factsOf, type ImageFacts } from './vhd/facts.ts';
import { closeLayers, openChain } from './vhd/open-chain.ts';

export type { ImageFacts } from './vhd/facts.ts';

/**
 * Reads what an image says about itself, and what is odd about it. A differencing image whose parent is missing, wrong or
 * damaged is still described: the trouble becomes a finding, and `parent` is null where the chain ends. `findings` are those of
 * all images of the chain.
 * @throws what `openDisk` throws about the image itself; CANCELLED
 */
export async function imageFacts(
  path: string,
  options: OpenDiskOptions = {},
): Promise<{ facts: ImageFacts; findings: Finding[] }> {
  throwIfAborted(options.signal);
  const { layers, broken } = await openChain(path, options);
  try {
    const findings = layers.flatMap((layer) => [...layer.findings]);
    if (broken) findings.push(asFinding(broken, path));
    return { facts: factsOf(layers), findings };
  } finally {
    await closeLayers(layers);
  }
}
