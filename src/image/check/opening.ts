import type { Cancellable } from '../../base/abort.ts';
import { isError, type VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';
import type { ImageFormat } from '../vhd/layer.ts';
import { type ChainOptions, closeLayers, openChain } from '../vhd/open-chain.ts';
import { checkChain } from './check-chain.ts';
import { openReport } from './report.ts';

/** What opening an image, which has the last word, says about it. */
export interface Opening {
  /** Null where the image itself does not open. */
  format: ImageFormat | null;
  /** Why opening refuses it, or one of its parents. */
  refused: VhdvaultError | null;
  findings: readonly Finding[];
}

/** @throws what is no fault of the content: NOT_FOUND, NO_PERMISSION, IO, DISK_NOT_A_FILE, USAGE, CANCELLED */
export async function openingOf(path: string, options: ChainOptions & Cancellable): Promise<Opening> {
  try {
    const { layers, broken } = await openChain(path, options);
    try {
      const report = openReport(path);
      await checkChain(layers, report);
      const findings = [...layers.flatMap((layer) => layer.findings), ...report.findings()];
      return { format: layers[0]!.format, refused: broken, findings };
    } finally {
      await closeLayers(layers);
    }
  } catch (error) {
    if (!isError(error) || !isContent(error)) throw error;
    return { format: null, refused: error, findings: [] };
  }
}

function isContent({ code }: VhdvaultError): boolean {
  return code !== 'DISK_NOT_A_FILE' && (code.startsWith('VHD_') || code.startsWith('DISK_'));
}
