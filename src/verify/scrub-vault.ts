import type { Finding } from '../base/finding.ts';
import type { Pool } from '../pool/pool.ts';
import { slotPath } from '../vault/check-slot.ts';
import { CONFIG_PATH } from '../vault/config.ts';
import type { Store } from '../vault/open-store.ts';
import { checkpointPath, checkRawCheckpoint } from '../vault/raw-checkpoint.ts';
import { checkRawLog, type RawLog } from '../vault/raw-log.ts';
import { checkRawSlot } from '../vault/raw-slot.ts';
import { checkReserve } from '../vault/reserve.ts';
import { type Trouble, wrongBytes } from '../vault/trouble.ts';
import { codeOf } from './cures.ts';
import { Findings } from './findings.ts';
import { readBasis, type ScrubBasis } from './scrub-config.ts';
import { type NamedScrubbed, namedObjects, scrubNamed } from './scrub-named.ts';
import { type Survey, survey } from './survey.ts';
import { tellFolders, tellReserve, tellStrangers } from './tell.ts';

export interface ScrubVaultOptions {
  store: Store;
  pool: Pool;
  signal?: AbortSignal | undefined;
  onBytes?: ((done: number, total: number) => void) | undefined;
}

/** Counts of the files that were looked at, and bytes of those that are named by their bytes. */
export interface ScrubCounts {
  entries: number;
  checkpoints: number;
  slots: number;
  packs: number;
  segments: number;
  lists: number;
  bytes: number;
}

export interface Scrubbed extends ScrubCounts {
  findings: Finding[];
}

/**
 * Checks all that can be checked of a vault without its key: that every name tells its bytes, and the chain of the log.
 * Whether a file is needed, and what is missing, only the key tells.
 * @throws VAULT_MISSING, VAULT_NEWER, CANCELLED
 */
export async function scrubVault(options: ScrubVaultOptions): Promise<Scrubbed> {
  const { store, signal } = options;
  const findings = new Findings();
  const basis = await readBasis(store);
  if (basis.trouble)
    tell(findings, 'CONFIG', basis.trouble, { path: CONFIG_PATH, name: CONFIG_PATH, cure: CONFIG_CURE });
  const first = await checkRawLog(store, basis, signal);
  // Where links are missing, an entry that is being written in this moment looks torn.
  const log = first.troubles.length > 0 ? await checkRawLog(store, basis, signal) : first;
  for (const trouble of log.troubles)
    if (trouble.path === CONFIG_PATH) tellMisfit(findings, trouble);
    else tell(findings, 'LOG_ENTRY', trouble, { path: trouble.path, name: trouble.path, cure: LOG_CURE });
  if (log.last === 0) tell(findings, 'LOG_ENTRY', wrongBytes('holds no entry: nobody can open the vault'), NO_LOG);
  const found = await survey(store, signal);
  await scrubCheckpoints(store, found, { log, facts: basis.facts }, findings);
  await scrubSlots(store, found, basis, findings);
  const { packs, segments, lists, bytes } = await scrubBytes(options, found, basis, findings);
  tellFolders(found, findings);
  tellStrangers(found, findings);
  return {
    findings: findings.all.map(({ severity, code, what, where, cure }) => ({ severity, code, what, where, cure })),
    ...{ entries: log.entries, checkpoints: found.checkpoints.length, slots: found.slots.length },
    ...{ packs, segments, lists, bytes },
  };
}

const CONFIG_CURE = 'bring vault.json back from another copy of this vault: it never changes';
const LOG_CURE =
  'bring the file back from another copy of this vault; `vhdvault verify` tells with the key what it hits';
const NAMED_CURE =
  '`vhdvault verify` tells with the key which points it hits, if any, and whether `vhdvault repair` dealt with it already (then it stays until gc frees it); a whole file of this name from a copy of this vault mends it; without one, `vhdvault repair`';
const NO_SLOTS = { path: 'keys', name: 'keys/', cure: 'bring keys/ back from another copy of this vault' };
const NO_LOG = { path: 'log', name: 'log/', cure: 'bring log/ back from another copy of this vault' };
const SLOT_CURE = '`vhdvault verify` tells with another secret whether the vault still needs it';

function tell(
  findings: Findings,
  code: string,
  trouble: Trouble,
  { path, name, cure }: { path: string; name: string; cure: string },
): void {
  const words = { code: codeOf(trouble, code), what: `${name} ${trouble.what}`, where: path };
  findings.tell('damage', { ...words, cure: trouble.unread ?? cure });
}

/** It and the first entry tell of each other. */
function tellMisfit(findings: Findings, trouble: Trouble): void {
  const cure = 'bring both back from another copy of this vault: neither of them ever changes';
  tell(findings, 'CONFIG', trouble, { path: CONFIG_PATH, name: CONFIG_PATH, cure });
}

async function scrubCheckpoints(
  store: Store,
  { checkpoints }: Survey,
  known: { log: RawLog; facts: ScrubBasis['facts'] },
  findings: Findings,
): Promise<void> {
  for (const sequence of checkpoints) {
    const trouble = await checkRawCheckpoint(store, sequence, known);
    if (!trouble) continue;
    const path = checkpointPath(sequence);
    // Torn ones are passed over by whoever opens the vault: they save time, and are never synced.
    if (trouble.misfit || trouble.unread !== null)
      tell(findings, 'CHECKPOINT', trouble, { path, name: 'checkpoint', cure: LOG_CURE });
    else
      findings.tell('info', {
        code: 'CHECKPOINT',
        what: `checkpoint ${trouble.what}: it is passed over`,
        where: path,
        cure: '',
      });
  }
}

async function scrubSlots(store: Store, { slots }: Survey, { facts }: ScrubBasis, findings: Findings): Promise<void> {
  if (facts?.encrypted && slots.length === 0)
    tell(findings, 'SLOT', wrongBytes('holds no key slot: nobody can open the vault'), NO_SLOTS);
  for (const name of slots) {
    const trouble = await checkRawSlot(store, name, facts);
    if (!trouble) continue;
    const path = slotPath(name);
    if (!trouble.torn) tell(findings, 'SLOT', trouble, { path, name: 'key slot', cure: SLOT_CURE });
    else {
      const what = `key slot ${trouble.what}: it is damaged, or an interrupted \`vhdvault key add\` left it`;
      findings.tell('warning', { code: 'SLOT', what, where: path, cure: SLOT_CURE });
    }
  }
}

/** The reserve, then all that is named by its bytes. */
async function scrubBytes(
  { store, pool, signal, onBytes }: ScrubVaultOptions,
  found: Survey,
  { config, facts }: ScrubBasis,
  findings: Findings,
): Promise<NamedScrubbed> {
  const objects = await namedObjects(store, found);
  const reserve = config?.reserve ?? 0;
  const total = objects.reduce((sum, { size }) => sum + size, reserve);
  let done = 0;
  const onReserve = (bytes: number): void => {
    done += bytes;
    onBytes?.(done, total);
  };
  onReserve(0);
  const ofReserve = config && (await checkReserve(store, reserve, { signal, onBytes: onReserve }));
  if (ofReserve) tellReserve(ofReserve, findings);
  const named = await scrubNamed(
    { store, pool, signal, onBytes: (bytes) => onBytes?.(reserve + bytes, total) },
    objects,
    facts,
  );
  for (const { object, trouble } of named.troubles) {
    const { path, kind } = object;
    const name = kind === 'segment' ? 'index segment' : kind;
    tell(findings, kind.toUpperCase(), trouble, { path, name, cure: NAMED_CURE });
  }
  return named;
}
