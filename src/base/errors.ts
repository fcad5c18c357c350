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
  | 'VHD_HAS_CHILDREN'
  | 'VHD_SAVED_STATE'
  | 'DISK_NOT_EMPTY'
  | 'IMAGE_LOCKED'
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
  | 'ITEM_FULL'
  | 'NO_SUCH_ITEM'
  | 'NO_SUCH_POINT'
  | 'NO_SUCH_SLOT'
  | 'POINT_PINNED'
  | 'POINT_PROTECTED'
  | 'LATEST_POINT'
  | 'MIN_RETENTION'
  | 'CLOCK_DOUBTED'
  | 'GC_BLOCKED'
  | 'JOB_CLOSED'
  | 'HOOK_FAILED'
  | 'OUTCOME_UNKNOWN';

/** The values of an error, typed, as `path`, `offset`, `expected`, `found`. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/** What an error has besides its code and message. */
export interface ErrorFacts {
  /** What to do about it, as a whole sentence or a command. */
  hint?: string;
  /** The values, typed: file, byte offset, expected, found. */
  details?: ErrorDetails;
  /** The error behind it. */
  cause?: unknown;
}

/** The one error of vhdvault. Identify it by `code`; errors that crossed a thread are revived with the same code. */
export class VhdvaultError extends Error {
  /** What went wrong, for programs. */
  readonly code: ErrorCode;
  /** What to do about it; undefined where nobody knows. */
  readonly hint: string | undefined;
  /** The values: which file, which byte, what was expected. */
  readonly details: ErrorDetails;

  /** The message is a fact in lower case, with the values. */
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
  const facts = { details: { path, system }, cause: error };
  const { code, what, hint } = SYSTEM_ERRORS[system] ?? DEVICE_ERROR;
  switch (code) {
    case 'NO_SPACE':
      return new VhdvaultError(code, `${what} while ${doing} ${path}`, { hint, ...facts });
    case 'NO_PERMISSION':
      return new VhdvaultError(code, `${what}: ${doing} ${path} (${system})`, { hint, ...facts });
    default:
      return new VhdvaultError(code, `${doing} ${path} failed: ${what || system}`, { hint, ...facts });
  }
}

interface SystemError {
  code: 'NO_SPACE' | 'NOT_FOUND' | 'NO_PERMISSION' | 'IO';
  what: string;
  hint: string;
}

/** Of the device, most likely: the system's own word has to do. */
const DEVICE_ERROR: SystemError = {
  code: 'IO',
  what: '',
  hint: 'look at the device and the system log (dmesg), then run the command again',
};

const FULL: SystemError = {
  code: 'NO_SPACE',
  what: 'no space left',
  hint: 'free some space there and run the command again; nothing that was saved before is lost',
};
const TOO_LARGE: SystemError = {
  code: 'NO_SPACE',
  what: 'a file would grow larger than its file system or a limit (ulimit -f) allows',
  hint: 'raise the limit, or use a file system that takes larger files; nothing that was saved before is lost',
};
const FORBIDDEN: SystemError = {
  code: 'NO_PERMISSION',
  what: 'not allowed',
  hint: 'check the permissions of that path, and whether it is mounted read-only',
};
const MANY_FILES: SystemError = {
  code: 'IO',
  what: 'too many files are open',
  hint: 'raise the limit (ulimit -n), then run the command again',
};

/** What a person can do something about, in words. */
const SYSTEM_ERRORS: Readonly<Record<string, SystemError>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: TOO_LARGE,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: FORBIDDEN,
  EMFILE: MANY_FILES,
  ENFILE: MANY_FILES,
  ENOENT: { code: 'NOT_FOUND', what: 'it does not exist', hint: 'check the path' },
  ENOTDIR: {
    code: 'NOT_FOUND',
    what: 'it does not exist, since a part of its path is no folder',
    hint: 'check the path',
  },
  ELOOP: {
    code: 'IO',
    what: 'its symbolic links lead in a circle',
    hint: 'look where they lead (ls -l), and name the file itself',
  },
  EISDIR: { code: 'IO', what: 'it is a folder', hint: 'name a file' },
  EEXIST: { code: 'IO', what: 'something else of that name is there', hint: 'name another path, or move it away' },
  ENAMETOOLONG: { code: 'IO', what: 'its name is too long', hint: 'use a shorter name or path' },
};

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

/** This machine lacks something, and what was to be read nothing. */
function isLackOfResources({ details }: VhdvaultError): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(String(details.system));
}

/** What is there cannot be read, for a device or a permission: that tells nothing of its bytes. */
export function isUnread(error: unknown): error is VhdvaultError {
  return isError(error, 'IO', 'NO_PERMISSION') && !isLackOfResources(error);
}

/**
 * An object of the vault, or a part of it, cannot be read, for whatever reason that lies with it; another may hold the same. (In a
 * vault that this version opens, one object of a newer format, or of another key, is a damaged header.)
 */
export function isUnreadable(error: unknown): error is VhdvaultError {
  const codes = ['VAULT_DAMAGED', 'VAULT_NEWER', 'VAULT_KEY_WRONG', 'NOT_FOUND', 'NO_PERMISSION', 'IO'] as const;
  return isError(error, ...codes) && !isLackOfResources(error);
}

/** For `catch`, where what is not there is an answer. */
export function absent(error: unknown): undefined {
  if (!isError(error, 'NOT_FOUND')) throw error;
}
