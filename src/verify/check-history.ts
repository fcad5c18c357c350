import { type FoundCheckpoint, fitsLog, readCheckpoint, tellsTheSame } from '../vault/check-checkpoint.ts';
import { checkLog, type LogCheck, type LogTrouble } from '../vault/check-log.ts';
import { checkSlot, slotPath } from '../vault/check-slot.ts';
import { sequencesIn, type Vault } from '../vault/vault.ts';
import { codeOf, LOG_CURE } from './cures.ts';
import type { Findings } from './findings.ts';
import { tellUnfinished } from './unfinished-entry.ts';

/**
 * Checks every entry of the log from the first one on, the checkpoints against it, and the key slots that it lists. Brings
 * the vault's state up to the newest entry.
 */
export async function checkHistory(
  vault: Vault,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<LogCheck> {
  const checkpoints = await readCheckpoints(vault);
  const differ = new Set<number>();
  const check = (): Promise<LogCheck> =>
    checkLog(vault, {
      signal,
      onState: (state) => {
        const told = checkpoints.get(state.sequence)?.state;
        if (told && !tellsTheSame(told, state)) differ.add(state.sequence);
      },
    });
  const first = await check();
  // Where links are missing, an entry that is being written in this moment looks torn.
  const log = first.troubles.length > 0 ? await check() : first;
  await vault.refresh();
  const troubles = vault.config.singleWriter ? await tellUnfinished(vault.store, log, findings) : log.troubles;
  tellLog(vault, troubles, findings);
  for (const checkpoint of checkpoints.values())
    tellCheckpoint(
      checkpoint,
      fitsLog(checkpoint, log) ?? (differ.has(checkpoint.sequence) ? DIFFERS : undefined),
      findings,
    );
  // Opening saw what we did not: it may have gone since, or be a file with no number that an entry can have.
  const isUnfinished = troubles.length < log.troubles.length;
  if (vault.damage && !findings.hasDamage && !isUnfinished)
    findings.tell('damage', {
      ...{ code: 'LOG_ENTRY', what: vault.damage.message },
      ...{ where: String(vault.damage.details.path ?? 'log'), cure: LOG_CURE },
    });
  if (!vault.damage) await checkSlots(vault, findings);
  return log;
}

const DIFFERS = 'tells of another state than the log comes to';

async function readCheckpoints(vault: Vault): Promise<Map<number, FoundCheckpoint>> {
  // A folder that cannot be listed is told by the survey.
  const names = await vault.store.list('ckpt').catch(() => []);
  const found = new Map<number, FoundCheckpoint>();
  for (const sequence of sequencesIn(names)) {
    const checkpoint = Number.isSafeInteger(sequence) ? await readCheckpoint(vault, sequence) : undefined;
    if (checkpoint) found.set(sequence, checkpoint);
  }
  return found;
}

function tellLog({ damage }: Vault, troubles: readonly LogTrouble[], findings: Findings): void {
  for (const trouble of troubles) {
    const words = { code: codeOf(trouble, 'LOG_ENTRY'), what: `log entry ${trouble.what}`, where: trouble.path };
    // Whoever opens the vault begins at a checkpoint behind it.
    const isPassedOver = !damage || trouble.path < String(damage.details.path);
    findings.tell('damage', { ...words, cure: trouble.unread ?? (isPassedOver ? PASSED_OVER : LOG_CURE) });
  }
}

const PASSED_OVER =
  'a checkpoint tells what it told, so that everything restores; bring the file back from another copy of the vault, if there is one';

/** Checkpoints are never synced and prove nothing: one that cannot be read is passed over by whoever opens the vault. */
function tellCheckpoint({ path, trouble }: FoundCheckpoint, wrong: string | undefined, findings: Findings): void {
  if (wrong !== undefined) {
    const cure = 'find out who changed the vault, and bring the log back from another copy of it';
    findings.tell('damage', { code: 'CHECKPOINT', what: `checkpoint ${wrong}`, where: path, cure });
  } else if (trouble) {
    const what = `checkpoint ${trouble.what}: it is passed over, a later one takes its place`;
    if (trouble.unread === null) findings.tell('info', { code: 'CHECKPOINT', what, where: path, cure: '' });
    else findings.tell('damage', { code: 'IO', what, where: path, cure: trouble.unread });
  }
}

/** A slot that is removed meanwhile is no damage: it is looked for again. */
async function checkSlots(vault: Vault, findings: Findings): Promise<void> {
  const { store } = vault;
  const wrong = [];
  for (const slot of vault.state.slots) if (await checkSlot(store, slot)) wrong.push(slot);
  if (wrong.length > 0) await vault.refresh();
  for (const { name, hash } of wrong) {
    if (!vault.state.slots.some((slot) => slot.name === name && slot.hash === hash)) continue;
    const trouble = await checkSlot(store, { name, hash });
    if (!trouble) continue;
    const cure = `what opens another slot still opens the vault: with it, \`vhdvault key remove ${name}\` and \`vhdvault key add\``;
    findings.tell('damage', {
      ...{ code: codeOf(trouble, 'SLOT'), what: `key slot ${trouble.what}`, where: slotPath(name) },
      cure: trouble.unread ?? cure,
    });
  }
}
