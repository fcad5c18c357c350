import { throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { type CatalogPoint, everyPoint, findPoint } from '../point/catalog.ts';
import type { Vault } from '../vault/vault.ts';
import type { CheckContentOptions } from '../verify/check-content.ts';
import type { PointFinding } from '../verify/findings.ts';
import { endOf, runsForAll, shareOfSpace } from '../verify/sample-window.ts';
import { type Verified, verifyVault } from '../verify/verify-vault.ts';
import { rateLimitOf } from './rate-limit-of.ts';
import { reading } from './reading.ts';
import { rememberSample, samplePlace } from './sample-place.ts';
import type { VaultSession } from './session.ts';
import type { Sampled, VerifyOptions, VerifyResult } from './verify-types.ts';
import { withWorkFolder } from './work-folder.ts';

/**
 * Checks a vault, every file of it, or one point; writes nothing to it and trusts no cache. What is wrong is returned, not
 * thrown. Other runs may go on meanwhile.
 * @throws USAGE, NO_SUCH_ITEM, NO_SUCH_POINT, VAULT_NEWER, CANCELLED, IO, NO_SPACE
 */
export async function verify(opened: VaultSession, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { ref, signal, onProgress, sample } = options;
  throwIfAborted(signal);
  const session = await reading(opened);
  const { vault, pool } = session;
  checkSample(options);
  const limit = rateLimitOf(options);
  const begun = vault.clock.monotonic();
  const point = ref === undefined ? undefined : findPoint(vault, ref);
  const item = point?.manifest.item;
  let points = 0;
  const pointsNow = (): CatalogPoint[] => {
    const now = everyPoint(vault).filter(({ id }) => point === undefined || id === point.id);
    points = now.length;
    return now;
  };
  return await withWorkFolder(session, async (folder) => {
    const verified = await verifyVault({
      ...{ vault, pool, folder, points: pointsNow, whole: point === undefined, limit, signal },
      read: await whatToRead(session, item, options),
      onBytes: (done, total) => onProgress?.({ phase: 'checking', done, total, disks: [] }),
    });
    const { reading, findings, entries, packs, segments, blocks } = verified;
    if (reading.window) await rememberSample(session, item, endOf(reading.window));
    return {
      ok: findings.every(({ severity }) => severity !== 'damage'),
      checked: { entries, points, packs, segments, blocks, bytes: reading.bytes },
      ...(sample !== undefined && { sampled: sampledOf(verified, sample) }),
      findings: [...findings, ...(session.isFirstSight ? [firstSight(vault)] : [])],
      seconds: (vault.clock.monotonic() - begun) / 1000,
    };
  });
}

/** @throws USAGE */
function checkSample({ sample: percent, readData }: VerifyOptions): void {
  if (percent !== undefined && readData) {
    throw new VhdvaultError('USAGE', 'read all of the data, or a sample of it', {
      hint: 'give --read-data or --sample, not both',
    });
  }
  if (percent === undefined || (percent > 0 && percent <= 100)) return;
  throw new VhdvaultError('USAGE', `a sample of ${percent} % is none`, {
    hint: 'give a share of more than 0 and at most 100 %, as 10%',
    details: { sample: percent },
  });
}

async function whatToRead(
  session: VaultSession,
  item: string | undefined,
  { sample, readData }: VerifyOptions,
): Promise<CheckContentOptions['read']> {
  if (sample !== undefined) return { start: await samplePlace(session, item), percent: sample };
  return readData ? 'all' : 'none';
}

function sampledOf({ reading, packs: ofPacks }: Verified, percent: number): Sampled {
  const { window, packs, bytes, ofBytes } = reading;
  const { start, width } = window ?? { start: 0, width: 0 };
  const from = 100 * shareOfSpace(start);
  const to = 100 * shareOfSpace(endOf({ start, width }));
  return { from, to, packs, ofPacks, bytes, ofBytes, runs: runsForAll(percent) };
}

/** Of a vault that this user knows, another history would have been refused. */
function firstSight({ state }: Vault): PointFinding {
  const what = `this user sees the vault for the first time (entry ${state.sequence}): whether it went back to an older state cannot be told`;
  const nothing = { points: [], forgotten: [], ranges: [], moreRanges: 0 };
  return { severity: 'info', code: 'FIRST_SIGHT', what, where: '', cure: '', ...nothing };
}
