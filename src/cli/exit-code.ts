import type { ErrorCode } from '../base/errors.ts';
import type { Finding } from '../base/finding.ts';

export const DONE = 0;
export const DONE_WITH_WARNINGS = 3;
export const DAMAGE_FOUND = 13;

/** The one table from error codes to exit codes. */
const EXIT_CODES = {
  USAGE: 2,
  CANCELLED: 130,
  BUG: 1,
  IO: 1,
  NO_SPACE: 15,
  NOT_FOUND: 1,
  NO_PERMISSION: 1,
  TARGET_EXISTS: 1,
  TARGET_UNUSABLE: 1,
  DISK_NOT_A_FILE: 1,
  DISK_EMPTY: 1,
  DISK_FORMAT_UNKNOWN: 1,
  DISK_FORMAT_UNSUPPORTED: 1,
  DISK_SIZE: 1,
  DISK_RANGE: 1,
  DISK_NAME: 2,
  VHD_FOOTER_MISSING: 1,
  VHD_FOOTER_CHECKSUM: 1,
  VHD_FOOTER_FIELD: 1,
  VHD_HEADER_MISSING: 1,
  VHD_HEADER_CHECKSUM: 1,
  VHD_HEADER_FIELD: 1,
  VHD_BAT: 1,
  VHD_BLOCK: 1,
  VHD_TRUNCATED: 1,
  VHD_LOCATOR: 1,
  VHD_ENCRYPTED: 1,
  VHD_PARENT_MISSING: 1,
  VHD_PARENT_WRONG: 1,
  VHD_PARENT_FORBIDDEN: 1,
  VHD_CHAIN: 1,
  VHD_TOO_LARGE: 1,
  VHD_HAS_CHILDREN: 1,
  VHD_SAVED_STATE: 1,
  DISK_NOT_EMPTY: 1,
  IMAGE_LOCKED: 11,
  SOURCE_CHANGED: 14,
  VAULT_MISSING: 10,
  VAULT_EXISTS: 1,
  VAULT_NEWER: 1,
  VAULT_UNSUITABLE: 1,
  VAULT_READ_ONLY: 1,
  VAULT_KEY_MISSING: 12,
  VAULT_KEY_WRONG: 12,
  VAULT_KEY_REFUSED: 12,
  VAULT_DAMAGED: 13,
  VAULT_ROLLED_BACK: 13,
  ITEM_LOCKED: 11,
  ITEM_NAME: 2,
  ITEM_FULL: 1,
  NO_SUCH_ITEM: 16,
  NO_SUCH_POINT: 16,
  NO_SUCH_SLOT: 16,
  POINT_PINNED: 1,
  POINT_PROTECTED: 1,
  LATEST_POINT: 1,
  MIN_RETENTION: 1,
  CLOCK_DOUBTED: 1,
  GC_BLOCKED: 13,
  JOB_CLOSED: 1,
  HOOK_FAILED: 1,
  OUTCOME_UNKNOWN: 1,
} as const satisfies Record<ErrorCode, number>;

export function exitCodeOfError(code: ErrorCode): number {
  return EXIT_CODES[code] ?? 1;
}

/** What a result says about how the run ended. */
export interface Verdict {
  ok?: boolean;
  warnings?: readonly string[];
  /** Of a part that failed when another one was done. */
  gcError?: { code: ErrorCode } | null;
  findings?: readonly Finding[];
  /** What a repair did. The findings that it left were there before: only damage counts. */
  actions?: readonly object[];
}

/** A part that failed is as if all had, but told with what was done. Damage beats warnings; a finding is a warning where it is called one and has a cure for the user to apply. */
export function exitCodeOfResult(result: Verdict): number {
  if (result.gcError) return exitCodeOfError(result.gcError.code);
  if (result.ok === false) return DAMAGE_FOUND;
  if (result.actions && (result.warnings ?? []).length === 0) return DONE;
  const toDo = result.findings?.some((finding) => finding.severity === 'warning' && finding.cure !== '') ?? false;
  return toDo || (result.warnings ?? []).length > 0 ? DONE_WITH_WARNINGS : DONE;
}
