import { throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { encodeLabel, type PointLabel, parseLabel } from '../point/manifest.ts';
import type { BackupOptions, BackupResult } from './backup-types.ts';
import { type HookResult, runHook } from './hooks.ts';
import type { VaultSession } from './session.ts';
import type { ClockTrust } from './types.ts';
import { withStaging } from './with-staging.ts';

/** What the run between the hooks needs to know of them. */
export interface BackupHooks {
  /** Goes into the point's manifest; what `--post` comes to replaces it. */
  label: PointLabel;
  warnings: string[];
}

const HALF_AN_HOUR = 1_800_000;

/**
 * Runs `--pre`, the backup, and `--post`: always, after failure and Ctrl-C too, while the item's lock is held. A point is
 * called more than crash-consistent only when the hooks that were given succeeded; since `--post` runs after the commit,
 * the point says `crash` until a label in the log says better.
 * @throws HOOK_FAILED when `--pre` failed and `requireConsistency` is set, and what `work` throws
 */
export async function withHooks(
  session: VaultSession,
  item: string,
  options: BackupOptions,
  work: (hooks: BackupHooks) => Promise<BackupResult>,
): Promise<BackupResult> {
  const { consistency = 'crash', pre: before, post: after, signal } = options;
  throwIfAborted(signal);
  let made: BackupResult;
  let pre: HookResult | undefined;
  try {
    pre = before === undefined ? undefined : await run(session, item, options, { hook: 'pre', command: before });
    throwIfAborted(signal);
    checkPre(pre, options);
    made = await work({ label: labelBefore(pre, options), warnings: warningsOf(pre, consistency) });
  } catch (error) {
    // Often the cause: it was to make the disk that is then not there.
    if (pre && pre.problem !== null && !isError(error, 'HOOK_FAILED')) session.notice(pre.problem);
    if (after === undefined) throw error;
    const outcome = isError(error, 'CANCELLED') ? 'cancelled' : 'failed';
    const code = isError(error) ? error.code : 'BUG';
    const post = await run(session, item, options, {
      ...{ hook: 'post', command: after },
      about: { VHDVAULT_OUTCOME: outcome, VHDVAULT_POINT: '', VHDVAULT_ERROR: code, VHDVAULT_WARNINGS: '0' },
    });
    if (post.problem !== null) session.notice(post.problem);
    throw error;
  }
  const hooks = pre ? [pre] : [];
  if (after === undefined) return { ...made, hooks };
  const post = await run(session, item, options, {
    ...{ hook: 'post', command: after },
    about: {
      ...{ VHDVAULT_OUTCOME: 'succeeded', VHDVAULT_POINT: made.point, VHDVAULT_ERROR: '' },
      VHDVAULT_WARNINGS: String(made.warnings.length),
    },
  });
  return await labelled(session, { ...made, hooks: [...hooks, post] }, { consistency, pre, post, options });
}

/** `--post` is not cancelled with the run: it takes away what `--pre` made. */
function run(
  session: VaultSession,
  item: string,
  options: BackupOptions,
  { hook, command, about = {} }: { hook: 'pre' | 'post'; command: string; about?: Record<string, string> },
): Promise<HookResult> {
  return runHook({
    ...{
      hook,
      command,
      timeout: options.hookTimeout ?? HALF_AN_HOUR,
      redact: session.redact,
      onNotice: session.notice,
    },
    environment: {
      VHDVAULT_HOOK: hook,
      VHDVAULT_ITEM: item,
      VHDVAULT_VAULT: session.address,
      VHDVAULT_CONSISTENCY: options.consistency ?? 'crash',
      ...about,
    },
    ...(hook === 'pre' && { signal: options.signal }),
  });
}

function checkPre(pre: HookResult | undefined, { requireConsistency }: BackupOptions): void {
  if (!pre || pre.problem === null || !requireConsistency) return;
  throw new VhdvaultError('HOOK_FAILED', `${pre.problem}: no point was made`, {
    hint: 'run the command by hand to see what is wrong with it; --hook-timeout gives it more time',
    details: { hook: pre.hook, outcome: pre.outcome, exitCode: pre.exitCode, output: pre.output },
  });
}

function warningsOf(hook: HookResult | undefined, consistency: string): string[] {
  if (!hook || hook.problem === null) return [];
  return [
    `${hook.problem}${consistency === 'crash' ? '' : `: the point counts as crash-consistent, not ${consistency}`}`,
  ];
}

function labelBefore(pre: HookResult | undefined, { consistency = 'crash', post }: BackupOptions): PointLabel {
  const failed = pre !== undefined && pre.problem !== null;
  const outcome = failed ? 'failed' : post !== undefined ? 'pending' : pre ? 'succeeded' : 'none';
  return {
    consistency: failed || post !== undefined ? 'crash' : consistency,
    hooks: { outcome, output: pre?.output ?? '' },
  };
}

/** Tells the log what `--post` came to. */
async function labelled(
  session: VaultSession,
  made: BackupResult,
  told: {
    consistency: NonNullable<BackupOptions['consistency']>;
    pre: HookResult | undefined;
    post: HookResult;
    options: ClockTrust;
  },
): Promise<BackupResult> {
  const { pre, post } = told;
  const succeeded = post.problem === null && (pre?.problem ?? null) === null;
  const consistency = succeeded ? told.consistency : 'crash';
  const warnings = [...made.warnings, ...warningsOf(post, told.consistency)];
  const output = [pre, post].flatMap((hook) => (hook && hook.output !== '' ? [`--${hook.hook}:\n${hook.output}`] : []));
  const label: PointLabel = {
    consistency,
    hooks: { outcome: succeeded ? 'succeeded' : 'failed', output: lastBytes(output.join('\n'), 4000) },
  };
  try {
    await commitLabel(session, made, label);
    await session.rememberHead(told.options);
    return { ...made, consistency, warnings };
  } catch (error) {
    if (!isError(error)) throw error;
    const lost = `what --post came to could not be kept with the point, which stays crash-consistent: ${error.message}`;
    return { ...made, consistency: 'crash', warnings: [...warnings, lost] };
  }
}

async function commitLabel(session: VaultSession, { item, point }: BackupResult, told: PointLabel): Promise<void> {
  const label = encodeLabel(told);
  parseLabel(label, 'memory');
  await withStaging(session, item, ({ job, folder }) =>
    session.vault.labelPoint({ job, folder, point: point.slice(1), label }),
  );
}

/** The end of a text, in whole characters. */
function lastBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  return bytes.byteLength <= most ? text : bytes.subarray(-most).toString('utf8').replace(/^�+/, '');
}
