import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type HookOptions, type HookResult, problemOf, runHook } from '../../src/jobs/hooks.ts';
import { describeWithTool } from '../support/tool.ts';

const hook = (command: string, more: Partial<HookOptions> = {}): Promise<HookResult> =>
  runHook({ hook: 'pre', command, environment: {}, timeout: 10_000, redact: (text) => text, ...more });

/** Dead, or a zombie that nobody has reaped yet. */
const isDead = async (pid: number): Promise<boolean> => {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return /\) [ZX]/.test(state);
};
const pidsIn = ({ output }: HookResult): number[] => output.split('\n').map(Number);
const allDead = async (pids: number[]): Promise<boolean> => (await Promise.all(pids.map(isDead))).every(Boolean);

describe('the result of a hook', () => {
  test('that succeeds has its output, in the order in which it was printed', async () => {
    const result = await hook('for n in 1 2 3 4 5; do echo "out $n"; echo "err $n" >&2; done');
    const lines = [1, 2, 3, 4, 5].flatMap((n) => [`out ${n}`, `err ${n}`]);
    expect(result).toMatchObject({ hook: 'pre', outcome: 'succeeded', exitCode: 0, signal: null, problem: null });
    expect(result.output).toBe(lines.join('\n'));
    expect(result.seconds).toBeGreaterThan(0);
  });

  test('that fails tells its exit code and the last line that it printed', async () => {
    const result = await hook('echo freezing; echo "no such volume" >&2; echo; exit 3', { hook: 'post' });
    expect(result).toMatchObject({ hook: 'post', outcome: 'failed', exitCode: 3, signal: null });
    expect(result.problem).toBe('--post failed with exit code 3: no such volume');
  });

  test('whose shell was ended by a signal names the signal', async () => {
    const result = await hook('kill -KILL $$');
    expect(result).toMatchObject({ outcome: 'failed', exitCode: null, signal: 'SIGKILL', output: '' });
    expect(result.problem).toBe('--pre was ended by SIGKILL');
  });

  test('whose command does not exist says so', async () => {
    const result = await hook('no-such-command-anywhere --freeze');
    expect(result).toMatchObject({ outcome: 'not-found', exitCode: 127 });
    expect(result.problem).toMatch(/^--pre failed: the shell does not find a command \(exit code 127\): .*not found$/);
  });

  test.each([
    ['with a zero byte', 'echo \0'],
    ['longer than the system takes', `: ${'x'.repeat(3_000_000)}`],
  ])('%s is that it could not be started', async (_, command) => {
    const result = await hook(command);
    expect(result).toMatchObject({ outcome: 'failed', exitCode: null, signal: null });
    expect(result.problem).toMatch(/^--pre could not be started: /);
  });
});

test('a hook for which no more files can be opened could not be started', () => {
  const program = `
    import { openSync } from 'node:fs';
    import { runHook } from ${JSON.stringify(new URL('../../src/jobs/hooks.ts', import.meta.url).href)};
    try { for (;;) openSync('/dev/null'); } catch {}
    const command = { hook: 'pre', command: 'true', environment: {}, timeout: 1000, redact: (text) => text };
    console.log((await runHook(command)).problem);
  `;
  const limited = 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"';
  const printed = execFileSync('sh', ['-c', limited, process.execPath, program], { encoding: 'utf8' });
  expect(printed).toMatch(/^--pre could not be started: .*EMFILE/);
});

describe('a hook', () => {
  test('gets the environment of the process and its own, but never the passphrase', async () => {
    process.env.VHDVAULT_PASSPHRASE = 'correct horse';
    process.env.VHDVAULT_HOOK_TEST = 'inherited';
    try {
      const command = 'echo "$VHDVAULT_HOOK_TEST $VHDVAULT_ITEM"; env';
      const { output } = await hook(command, { environment: { VHDVAULT_ITEM: 'web01' } });
      expect(output).toContain('inherited web01');
      expect(output).not.toMatch(/correct horse|VHDVAULT_PASSPHRASE=/);
    } finally {
      delete process.env.VHDVAULT_PASSPHRASE;
      delete process.env.VHDVAULT_HOOK_TEST;
    }
  });

  test('that reads its input finds nothing, and is in a process group of its own', async () => {
    const { output } = await hook('cat; read -r line || echo nothing; cut -d" " -f5 /proc/self/stat; echo $$');
    const [read, group, shell] = output.split('\n');
    expect(read).toBe('nothing');
    expect(group).toBe(shell);
  });

  test('with quotes, dollars and newlines is taken as the shell takes it', async () => {
    const { output } = await hook(`a='x  "y"'\necho "$a" \\$HOME 'it''s'; # end`);
    expect(output).toBe('x  "y" $HOME its');
  });
});

describe('a background child that holds the output open', () => {
  test('is not waited for, lives on, and is told', async () => {
    const notices: string[] = [];
    const command = 'sh -c "sleep 0.7; echo late; echo later; exec sleep 30" & echo $!; exit 4';
    const result = await hook(command, { onNotice: (text) => notices.push(text) });
    const [pid] = pidsIn(result) as [number];
    try {
      expect(result).toMatchObject({ outcome: 'failed', exitCode: 4 });
      expect(result.seconds).toBeLessThan(5);
      expect(notices).toEqual(['--pre left a process behind that holds its output open; it is not waited for']);
      await delay(500);
      expect(await isDead(pid)).toBe(false);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  test('may print for a moment after the shell has ended', async () => {
    const notices: string[] = [];
    const result = await hook('(sleep 0.1; echo late) & echo early', { onNotice: (text) => notices.push(text) });
    expect(result.output).toBe('early\nlate');
    expect(notices).toEqual([]);
  });
});

describe('a hook that takes too long', () => {
  test('is ended with all its children, and what it had printed is kept', async () => {
    const result = await hook('sleep 30 & echo $!; sleep 30 & echo $!; wait', { timeout: 200 });
    expect(result).toMatchObject({ outcome: 'timed-out', exitCode: null, signal: 'SIGTERM' });
    const pids = pidsIn(result);
    expect(pids).toHaveLength(2);
    expect(await allDead(pids)).toBe(true);
    expect(result.problem).toBe(`--pre did not end within 0.2 s (--hook-timeout) and was stopped: ${pids[1]}`);
    expect(result.seconds).toBeLessThan(4);
  });

  test('may clean up when it is asked to end, and that does not make it succeed', async () => {
    const result = await hook("trap 'echo thawed; exit 0' TERM; sleep 30 & wait", { timeout: 200 });
    expect(result).toMatchObject({ outcome: 'timed-out', exitCode: 0, output: 'thawed' });
  });

  test('is killed where it does not end, the shell as well as a child that outlives it', async () => {
    const deaf = `trap '' TERM; sleep 30 & echo $!; wait; wait`;
    const orphan = `sh -c "trap '' TERM; sleep 30; sleep 30" & echo $!; sleep 30`;
    for (const command of [deaf, orphan]) {
      const notices: string[] = [];
      const result = await hook(command, { timeout: 600, killAfter: 150, onNotice: (text) => notices.push(text) });
      expect(result.outcome).toBe('timed-out');
      expect(await allDead(pidsIn(result))).toBe(true);
      expect(notices).toEqual(['--pre did not end 0.15 s after SIGTERM: all of it was sent SIGKILL']);
    }
  });

  test('has as long as it likes where the time-out is longer than a timer can be', async () => {
    expect(await hook('sleep 0.1', { timeout: 2 ** 40 })).toMatchObject({ outcome: 'succeeded' });
  });
});

describeWithTool('perl', 'a hook of which only dead processes are left that nobody reaps', () => {
  test('is not waited for', async () => {
    const notices: string[] = [];
    // A child that is dead in the group, under a parent that has left it.
    const command = `perl -e 'fork or exit; setpgrp(0, 0); sleep 30' >/dev/null 2>&1 & echo $!; wait`;
    const result = await hook(command, { timeout: 1000, killAfter: 3000, onNotice: (text) => notices.push(text) });
    const [parent] = pidsIn(result) as [number];
    expect(await isDead(parent)).toBe(false);
    process.kill(parent, 'SIGKILL');
    expect(result.outcome).toBe('timed-out');
    expect(notices).toEqual([]);
  });
});

describe('a cancelled run', () => {
  test('ends the hook with all its children', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 150);
    const result = await hook('sleep 30 & echo $!; wait', { signal: controller.signal });
    expect(result).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
    expect(result.problem).toMatch(/^--pre was cancelled: \d+$/);
    expect(await allDead(pidsIn(result))).toBe(true);
  });

  test('starts no hook', async () => {
    const result = await hook('echo started', { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ outcome: 'cancelled', output: '', problem: '--pre was cancelled' });
  });
});

describe('of the output', () => {
  const headed = /^\.\.\. (\d+) bytes before this are not kept\n/;

  test('of 10 MB the last lines are kept, whole and counted', async () => {
    const result = await hook('awk \'BEGIN { for (n = 1; n <= 500000; n++) printf "line number %07d\\n", n }\'');
    expect(result.outcome).toBe('succeeded');
    const [head, ...lines] = result.output.split('\n');
    expect(lines).toEqual(Array.from({ length: 175 }, (_, n) => `line number ${String(499_826 + n).padStart(7, '0')}`));
    expect(head).toBe(`... ${500_000 * 20 - 175 * 20} bytes before this are not kept`);
  });

  test('3,500 bytes are kept whole, and one byte more costs a line', async () => {
    const printing = (bytes: number): string => `awk 'BEGIN { for (n = 0; n < ${bytes / 10}; n++) print "abcdefghi" }'`;
    expect((await hook(printing(3500))).output).toBe('abcdefghi\n'.repeat(350).trimEnd());
    const more = await hook(`echo; ${printing(3500)}`);
    expect(more.output).toBe(`... 1 bytes before this are not kept\n${'abcdefghi\n'.repeat(350).trimEnd()}`);
  });

  test.each([5000, 40_000])(
    'one long line of %d characters of three bytes is cut between characters',
    async (count) => {
      const { output } = await hook(`awk 'BEGIN { for (n = 0; n < ${count}; n++) printf "\\342\\202\\254" }'`);
      const kept = output.replace(headed, '');
      expect(kept).toBe('€'.repeat(1166));
      expect(headed.exec(output)?.[1]).toBe(String(count * 3 - 1166 * 3));
    },
  );

  test('what is no text is replaced, and never grows', async () => {
    const strange = String.raw`printf 'a\000b\377\376c\033[31mred\033[0m\007\tz\r\n10%%\r20%%\r\342\200\256evil\n'`;
    const { output } = await hook(strange);
    expect(output).toBe('a?b??cred?\tz\n10%\n20%\n?evil');
    const noise = await hook('head -c 200000 /dev/urandom');
    expect(Buffer.byteLength(noise.output.replace(headed, ''))).toBeLessThanOrEqual(3500);
    expect(noise.output).not.toMatch(/[^\P{Cc}\n\t]|\ufffd/u);
  });

  test('a secret is masked, also where the end that is held begins in its middle', async () => {
    const secret = 'correct horse battery staple';
    const redact = (text: string): string => text.replaceAll(secret, '***');
    const once = await hook(`echo 'it is ${secret}.'; exit 1`, { redact });
    expect(once.output).toBe('it is ***.');
    expect(once.problem).toBe('--pre failed with exit code 1: it is ***.');
    // Masking makes the held end shorter than what is kept, so that its front shows.
    const again = await hook(`awk 'BEGIN { for (n = 0; n < 10000; n++) printf "${secret}" }'`, { redact });
    expect(again.output.replace(headed, '')).toMatch(/^\**$/);
    const unstarted = await hook(`echo ${secret} \0`, { redact });
    expect(unstarted.problem).not.toContain(secret);
  });
});

test('a problem quotes no more than the end of a long line', () => {
  const output = `first\n${'x'.repeat(400)}END`;
  const problem = problemOf('post', 'failed', { exitCode: 1, signal: null, timeout: 1000, output });
  expect(problem).toBe(`--post failed with exit code 1: ...${'x'.repeat(297)}END`);
});
