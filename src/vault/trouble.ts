import { isError, isUnread } from '../base/errors.ts';
import type { Store } from './store/store.ts';

/** What is wrong with an object of the vault. Plain data: workers send it. */
export interface Trouble {
  /** A fact, without the path. */
  what: string;
  /** What to do where a device or a permission is in the way: that proves nothing of the bytes. null: the bytes are wrong. */
  unread: string | null;
}

const LOOK_AT_DEVICE = 'look at the device and the system log (dmesg), then run the command again';

export function wrongBytes(what: string): Trouble {
  return { what, unread: null };
}

/** Of an object with a size that it must not have, undefined: it is not there. What is no file has no bytes, and is told as what it is. */
export async function wrongSize(store: Store, path: string, size: number | undefined, rest = ''): Promise<Trouble> {
  if (size === undefined) return wrongBytes('is missing');
  return wrongBytes((size === 0 && (await oddity(store, path))) || `is ${size} bytes long${rest}`);
}

async function oddity(store: Store, path: string): Promise<string | undefined> {
  const kind = await store.kind(path);
  if (kind === 'folder') return 'is a folder, where a file must be';
  return kind === 'other' ? 'is no file: a pipe, a socket or a device' : undefined;
}

/** What kept an object from being read, if it is of this object; any other error is thrown again. */
export function troubleOf(error: unknown, path: string): Trouble {
  if (isError(error, 'NOT_FOUND')) return wrongBytes('is missing');
  // In a vault that this version opens, one object of another format is a damaged header.
  if (isError(error, 'VAULT_NEWER')) return wrongBytes('has a header of another format than its vault');
  if (isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG')) return wrongBytes(error.message.replace(`${path} `, ''));
  if (!isUnread(error)) throw error;
  return { what: `cannot be read: ${error.message}`, unread: error.hint ?? LOOK_AT_DEVICE };
}

/** All of one object in one sentence; it is unread only where no bytes were found wrong. */
export function joinTroubles(troubles: readonly Trouble[]): Trouble {
  const wrong = troubles.filter(({ unread }) => unread === null);
  const unread = wrong.length > 0 ? null : (troubles[0]?.unread ?? null);
  return { what: troubles.map(({ what }) => what).join('; '), unread };
}
