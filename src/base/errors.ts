/** Every way in which vhdvault refuses or fails. Scripts rely on these words; add freely, rename never. */
export type ErrorCode =
  // the caller
  | 'USAGE'
  | 'CANCELLED'
  | 'BUG'
  // files and devices
  | 'IO'
  | 'NO_SPACE'
  | 'NOT_FOUND'
  | 'NO_PERMISSION'
  | 'TARGET_EXISTS'
  | 'TARGET_UNUSABLE'
  // disks and images
  | 'DISK_NOT_A_FILE'
  | 'DISK_EMPTY'
  | 'DISK_FORMAT_UNKNOWN'
  | 'DISK_FORMAT_UNSUPPORTED'
  | 'DISK_SIZE'
  | 'DISK_RANGE'
  | 'DISK_NAME'
  | 'VHD_FOOTER_MISSING'
  | 'VHD_FOOTER_CHECKSUM'
  | 'VHD_FOOTER_FIELD'
  | 'VHD_HEADER_MISSING'
  | 'VHD_HEADER_CHECKSUM'
  | 'VHD_HEADER_FIELD'
  | 'VHD_BAT'
  | 'VHD_BLOCK'
  | 'VHD_TRUNCATED'
  | 'VHD_LOCATOR'
  | 'VHD_ENCRYPTED'
  | 'VHD_PARENT_MISSING'
  | 'VHD_PARENT_WRONG'
  | 'VHD_PARENT_FORBIDDEN'
  | 'VHD_CHAIN'
  | 'VHD_TOO_LARGE'
  | 'SOURCE_CHANGED'
  // the vault
  | 'VAULT_MISSING'
  | 'VAULT_EXISTS'
  | 'VAULT_NEWER'
  | 'VAULT_UNSUITABLE'
  | 'VAULT_READ_ONLY'
  | 'VAULT_KEY_MISSING'
  | 'VAULT_KEY_WRONG'
  | 'VAULT_KEY_REFUSED'
  | 'VAULT_DAMAGED'
  | 'VAULT_ROLLED_BACK'
  | 'ITEM_LOCKED'
  | 'ITEM_NAME'
  | 'NO_SUCH_ITEM'
  | 'NO_SUCH_POINT'
  | 'JOB_CLOSED'
  | 'OUTCOME_UNKNOWN';

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface ErrorFacts {
  /** What to do about it, as a whole sentence or a command. */
  hint?: string;
  /** The values, typed: file, byte offset, expected, found. */
  details?: ErrorDetails;
  cause?: unknown;
}

/** The one error of vhdvault. Identify it by `code`; errors that crossed a thread are revived with the same code. */
export class VhdvaultError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'VhdvaultError';
    this.code = code;
    this.hint = facts.hint;
    this.details = facts.details ?? {};
  }
}

/** An error as plain data, fit for JSON and for another thread. */
export interface PlainError {
  code: ErrorCode;
  message: string;
  hint?: string;
  details?: ErrorDetails;
  /** Only for bugs: where it happened. */
  stack?: string;
}

/** Tells whether `error` is ours and, if codes are given, one of these. */
export function isError(error: unknown, ...codes: ErrorCode[]): error is VhdvaultError {
  const code = (error as { name?: unknown; code?: unknown } | null)?.code;
  const ours = (error as { name?: unknown } | null)?.name === 'VhdvaultError';
  return ours && (codes.length === 0 || codes.includes(code as ErrorCode));
}

/** The `code` that Node gives to a failed system call (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/**
 * Turns a failed system call into a typed error that says what was being done to which file.
 * Errors of ours and bugs pass through unchanged.
 */
export function ioError(error: unknown, doing: string, path: string): unknown {
  const system = systemCode(error);
  if (system === undefined) return error;
  const details = { path, system };
  const cause = error;
  switch (system) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new VhdvaultError('NO_SPACE', `no space left while ${doing} ${path}`, {
        hint: 'free some space there and run the command again; nothing that was saved before is lost',
        details,
        cause,
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new VhdvaultError('NOT_FOUND', `${path} does not exist (while ${doing} it)`, {
        hint: 'check the path',
        details,
        cause,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new VhdvaultError('NO_PERMISSION', `not allowed: ${doing} ${path} (${system})`, {
        hint: 'check the permissions of that path, and whether it is mounted read-only',
        details,
        cause,
      });
    default:
      return new VhdvaultError('IO', `${doing} ${path} failed: ${system}`, {
        hint: 'look at the device and the system log (dmesg), then run the command again',
        details,
        cause,
      });
  }
}

export function toPlain(error: unknown): PlainError {
  // Closing failed after something else had: that something is the cause.
  if (error instanceof SuppressedError) return toPlain(error.suppressed);
  if (isError(error)) {
    const plain: PlainError = { code: error.code, message: error.message, details: error.details };
    if (error.hint !== undefined) plain.hint = error.hint;
    return plain;
  }
  if ((error as { name?: unknown } | null)?.name === 'AbortError') return { code: 'CANCELLED', message: 'cancelled' };
  const message = error instanceof Error ? error.message : String(error);
  const plain: PlainError = {
    code: 'BUG',
    message: `unexpected: ${message}`,
    hint: 'this is a bug in vhdvault: please report it with the command and this message',
  };
  if (error instanceof Error && error.stack !== undefined) plain.stack = error.stack;
  return plain;
}

export function fromPlain(plain: PlainError): VhdvaultError {
  const facts: ErrorFacts = {};
  if (plain.hint !== undefined) facts.hint = plain.hint;
  if (plain.details !== undefined) facts.details = plain.details;
  const error = new VhdvaultError(plain.code, plain.message, facts);
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}
