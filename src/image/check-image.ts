import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import type { Finding } from '../base/finding.ts';
import { openSource } from '../io/source.ts';
import { checkFile } from './check/check-file.ts';
import { type Opening, openingOf } from './check/opening.ts';
import { openReport } from './check/report.ts';

/** How to check an image. */
export interface CheckOptions extends Cancellable {
  /** See `openDisk`. */
  format?: 'vhd' | 'raw';
  /** See `openDisk`. */
  parentRoots?: readonly string[];
  /** Milliseconds since 1970, against which time stamps are held; default the time of now. */
  now?: number;
}

/**
 * Checks every rule of the format on one image, and that its parents open. Reads all structures and sector bitmaps, never
 * writes. An image has a finding of the severity `damage` if and only if `openDisk` refuses it. The worst findings come first;
 * of a kind only the first 20 are told, and the number of the rest.
 * @throws NOT_FOUND, NO_PERMISSION, IO, DISK_NOT_A_FILE, CANCELLED; what is wrong with the content is in the findings
 */
export async function checkImage(path: string, options: CheckOptions = {}): Promise<Finding[]> {
  const { signal, now = systemClock.now() } = options;
  throwIfAborted(signal);
  const opening = await openingOf(path, options);
  const report = openReport(path, opening.refused);
  if (options.format !== 'raw' && (opening.format ?? 'vhd-').startsWith('vhd-')) {
    await using source = await openSource(path);
    await checkFile(source, { report, now, ...(signal && { signal }) });
  }
  return worstFirst(joined(report.findings(), opening));
}

/** Opening says again what the rules found, in fewer words; what only it knows is kept. */
function joined(rules: readonly Finding[], { findings }: Opening): Finding[] {
  const isKnown = (finding: Finding): boolean =>
    rules.some(({ code, where }) => code === finding.code && where === finding.where);
  return [...rules, ...findings.filter((finding) => !isKnown(finding))];
}

const SEVERITIES = ['damage', 'warning', 'info'] as const;

function worstFirst(findings: readonly Finding[]): Finding[] {
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}
