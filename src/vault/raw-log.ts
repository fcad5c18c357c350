import { equalBytes } from '../base/hex.ts';
import type { LogTrouble } from './check-log.ts';
import { HEADER_SIZE, parseObjectHeader } from './codec/object-header.ts';
import { CONFIG_PATH } from './config.ts';
import { hashOf, logPath, previousOf } from './log/entry.ts';
import type { Store } from './open-store.ts';
import { type CommonFacts, headerTrouble } from './raw-object.ts';
import { readEntry, readLog } from './read-log.ts';
import { wrongBytes } from './trouble.ts';

/** What of an entry is in clear: header, sequence, hash of the entry before, nonce; and the tag of an empty body. */
const LEAST = HEADER_SIZE + 8 + 32 + 16 + 16;

export interface RawLog {
  entries: number;
  last: number;
  troubles: LogTrouble[];
  /** Hash of the entry n at n, as far as nothing is wrong with it. */
  hashes: Map<number, Uint8Array>;
}

/** What entry 1 tells in clear: the hash of vault.json, and what the headers of this vault have in common. */
export async function readFirstEntry(store: Store): Promise<{ vaultHash: Uint8Array; facts: CommonFacts } | undefined> {
  const path = logPath(1);
  const first = await readEntry(store, 1);
  if (!first || first.trouble || first.stored.byteLength < LEAST) return undefined;
  if (headerTrouble(first.stored, 'entry', path, undefined)) return undefined;
  const { family, encrypted } = parseObjectHeader(first.stored, 'entry', path);
  return { vaultHash: previousOf(first.stored), facts: { family, encrypted } };
}

/** Headers, numbers and the chain of hashes from vault.json on. Nothing but the key can tell of the body of the newest entry. */
export async function checkRawLog(
  store: Store,
  known: { vaultHash: Uint8Array | undefined; facts: CommonFacts | undefined },
  signal?: AbortSignal,
): Promise<RawLog> {
  const log: RawLog = { entries: 0, last: 0, troubles: [], hashes: new Map() };
  let before = { path: CONFIG_PATH, hash: known.vaultHash };
  for await (const found of readLog(store, { signal })) {
    const path = logPath(found.sequence);
    const tell = (what: string, where = path): void => void log.troubles.push({ ...wrongBytes(what), path: where });
    log.last = found.trouble ? found.until : found.sequence;
    if (found.trouble) {
      log.troubles.push({ ...found.trouble, path });
      before = { path, hash: undefined };
      continue;
    }
    log.entries++;
    const { stored, sequence } = found;
    const wrong = headerTrouble(stored, 'entry', path, known.facts)?.what ?? numberTrouble(stored, sequence);
    if (wrong !== undefined) tell(wrong);
    else if (before.hash && !equalBytes(before.hash, previousOf(stored)))
      tell(`does not fit what ${path} tells of it: one of the two was changed`, before.path);
    const hash = hashOf(stored);
    if (wrong === undefined) log.hashes.set(sequence, hash);
    before = { path, hash: wrong === undefined ? hash : undefined };
  }
  return log;
}

function numberTrouble(stored: Uint8Array, sequence: number): string | undefined {
  if (stored.byteLength < LEAST) return `is ${stored.byteLength} bytes long, shorter than any entry`;
  const found = Buffer.from(stored.buffer, stored.byteOffset).readBigUInt64LE(HEADER_SIZE);
  return found === BigInt(sequence) ? undefined : 'has another sequence than its name';
}
