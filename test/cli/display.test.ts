import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { barStates, barText } from '../../src/cli/bars.ts';
import type { Run } from '../../src/cli/command.ts';
import { type DisplayArguments, openDisplay } from '../../src/cli/display.ts';
import { Secrets } from '../../src/cli/secrets.ts';
import type { Progress } from '../../src/jobs/types.ts';

const disk = { name: 'os', size: 100, done: 50, read: 50, changed: 2048, stored: 1024 };
const progress: Progress = { phase: 'reading', done: 50, total: 100, disks: [disk] };

/** What a display writes while it is told of progress and of a notice that names a secret. */
async function written(args: DisplayArguments, terminal: boolean, notice = 'key hunter2'): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY: terminal, columns: 100, rows: 24 });
  const secrets = new Secrets();
  secrets.keep('hunter2');
  const run = { stderr: stream, secrets } as unknown as Run;
  {
    using display = await openDisplay(args, run);
    display.onProgress(progress);
    display.onNotice(notice);
    display.onProgress({ ...progress, done: 60 });
    display.onProgress({ ...progress, phase: 'done', done: 100 });
  }
  stream.end();
  return stream.setEncoding('utf8').read() ?? '';
}

describe('standard error', () => {
  test('stays empty with --quiet', async () => {
    expect(await written({ quiet: true, progress: 'json' }, true)).toBe('');
  });

  test('tells only notices where it is no terminal, or progress is none', async () => {
    expect(await written({ progress: 'auto' }, false)).toBe('note: key ***\n');
    expect(await written({ progress: 'none' }, true)).toBe('note: key ***\n');
  });

  test('is lines of JSON with --progress json, one for each phase', async () => {
    const lines = (await written({ progress: 'json' }, false)).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { event: 'progress', ...progress },
      { event: 'notice', text: 'key ***' },
      { event: 'progress', ...progress, phase: 'done', done: 100 },
    ]);
  });

  test('is given signs for what a terminal would obey, and one line for each notice', async () => {
    const [notice, json] = await Promise.all(
      (['none', 'json'] as const).map((way) => written({ progress: way }, true, 'a\x1b[2J\u202e\nnote: b')),
    );
    expect(notice).toBe('note: a␛[2J\ufffd␊note: b\n');
    expect(json).toContain(String.raw`{"event":"notice","text":"a\u001b[2J\u202e\nnote: b"}`);
    expect(barText({ name: '\x1b[2J', done: 0, total: 1, speed: 0, changed: 0, stored: 0, left: 0 }, 80)).toMatch(
      /^␛\[2J /,
    );
    expect(await written({ progress: 'auto' }, true, 'a\x1b[2J')).toContain('note: a␛[2J\n');
  });

  test('shows bars at a terminal and leaves it with a cursor', async () => {
    const text = await written({ progress: 'auto' }, true);
    expect(text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(text.lastIndexOf('\x1b[?25l'));
    expect(text).toContain('note: key ***\n');
  });
});

test('there is a bar for each disk and one for the run, with percent, speed, time left, changed and stored', () => {
  const [one, all] = barStates(progress, 10).map((state) => barText(state, 80));
  expect(one).toBe('os          █████░░░░░░   50%     0 MB/s  10 s left  changed 2 KiB  stored 1 KiB');
  expect(one).toHaveLength(80);
  expect(all).toMatch(/^reading /);
});

test('a bar that is done tells no time left', () => {
  const state = { name: 'os', done: 5, total: 5, speed: 2e6, changed: 0, stored: 0, left: 0 };
  expect(barText(state, 80)).toBe(`os          ${'█'.repeat(24)}  100%     2 MB/s`);
  expect(barText({ ...state, done: 0, total: 0 }, 20)).toContain(`${'░'.repeat(8)}    0%`);
});
