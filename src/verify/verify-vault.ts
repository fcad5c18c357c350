import { type CheckContentOptions, checkContent, type Reading } from './check-content.ts';
import { checkHistory } from './check-history.ts';
import { checkRest } from './check-rest.ts';
import { Findings, type PointFinding } from './findings.ts';
import { markForgotten } from './mark-forgotten.ts';
import type { PackTrouble } from './pack-troubles.ts';

export interface Verified {
  findings: PointFinding[];
  entries: number;
  packs: number;
  segments: number;
  blocks: number;
  reading: Reading;
  /** For who mends them: segments and packs that something is wrong with, and folders that every vault has. */
  badSegments: string[];
  troubles: PackTrouble[];
  missingFolders: string[];
}

/**
 * Checks a vault; writes nothing to it, and trusts no cache, no listing and no checkpoint. With `whole` every file of it,
 * else what some points need.
 */
export async function verifyVault(options: CheckContentOptions): Promise<Verified> {
  const { vault, whole, signal } = options;
  const findings = new Findings();
  const log = await checkHistory(vault, findings, signal);
  const content = await checkContent(options);
  const rest = new Findings();
  const missingFolders = whole ? await checkRest(vault, content, rest, signal) : [];
  const all = [...findings.all, ...content.findings.all, ...rest.all];
  markForgotten(all, options.points());
  return {
    findings: all,
    ...{ entries: log.entries, segments: content.known.segments.length, packs: content.packs, blocks: content.blocks },
    ...{ reading: content.reading, badSegments: content.badSegments, troubles: content.troubles, missingFolders },
  };
}
