import type { PointFinding } from '../verify/findings.ts';
import type { Watchable } from './types.ts';

/** How to repair. */
export interface RepairVaultOptions extends Watchable {
  /** Only tell what would be done. */
  dryRun?: boolean;
}

/** One thing that a repair does. */
export interface VaultRepairAction {
  /**
   * put-back: an entry of the log is there again, from the copy that this machine had. set-aside: the newest entry of the log, which nobody can read, was moved to quarantine/. quarantine: nothing new refers
   * to a pack any more. recover: blocks of a quarantined pack can be had again, since its file was brought back. rebuild-index: packs are known again by what they say of themselves. make-folder: a folder of the
   * vault was missing.
   */
  action: 'put-back' | 'set-aside' | 'quarantine' | 'recover' | 'rebuild-index' | 'make-folder';
  /** In words. */
  what: string;
  /** The file or folder in the vault. */
  where: string;
}

/** What a repair found and did. */
export interface RepairVaultResult {
  /** Nothing is damaged that is not dealt with. In a dry run: nothing is damaged. */
  ok: boolean;
  /** In their order; in a dry run those that would be done. */
  actions: VaultRepairAction[];
  /** What was damaged before, and what is left. */
  findings: PointFinding[];
  /** Nothing was written. */
  dryRun: boolean;
  /** What to do now. */
  warnings: string[];
  /** From beginning to end. */
  seconds: number;
}
