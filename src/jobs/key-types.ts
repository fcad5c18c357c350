import type { Cancellable } from '../base/abort.ts';
import type { SecretOptions } from './read-secret.ts';

/** One way into an encrypted vault: a passphrase or a key file that opens its master key. */
export interface KeySlot {
  /** 16 hex digits; also the name of its file in the vault's folder `keys`. */
  name: string;
  /** What opens it; `unknown` only where its file cannot be read. */
  kind: 'passphrase' | 'key-file' | 'unknown';
  /** What its owner calls it; may be empty. */
  label: string;
  /** Since when; ISO 8601. */
  added: string;
  /** It opened this session. */
  opened: boolean;
  /** Whether its file is there, as the log tells of it. */
  file: 'there' | 'missing' | 'changed' | 'unreadable';
}

/** The key slots of a vault. */
export interface KeysResult {
  /** Those that the log lists, oldest first. */
  slots: KeySlot[];
  /** Names of other files in the folder `keys`: they open nothing by themselves. */
  unlisted: string[];
  /** What to act on. */
  warnings: string[];
}

/** The key slots of a vault after a change. */
export interface KeyChangeResult extends KeysResult {
  /** Name of the new slot. */
  added: string | null;
  /** Names of the slots that are gone. */
  removed: string[];
  /** What is good to know. */
  notices: string[];
}

/** A new key slot: `passphrase` or `keyFile`, as long as the rules for a new vault ask for. */
export interface AddKeyOptions extends SecretOptions, Cancellable {
  /** Up to 100 characters; no two slots of a vault have the same. */
  label?: string;
}

/** How a key slot is removed. */
export interface RemoveKeyOptions extends Cancellable {
  /** Also the slot that opened the session, where no other is opened by the same secret; default false. */
  force?: boolean;
}

/** What takes the place of a key slot. */
export interface ChangeKeyOptions extends AddKeyOptions {
  /**
   * The slot to replace, by name, label or beginning of its name; default: what opened the session, and with it all slots
   * of the same passphrase or key file.
   */
  slot?: string;
}
