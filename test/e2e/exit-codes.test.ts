import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import type { RestoreResult } from '../../src/jobs/restore-types.ts';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { type BadRow, expectJson, expectText, expectTold } from '../support/bad-row.ts';
import { attachLoop, canLoop } from '../support/loop-device.ts';
import { canMount, mountMemory } from '../support/mounts.ts';
import { programHome } from '../support/program-home.ts';
import { type StartOptions, seenBeforeEnd, startCli } from '../support/started-run.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';
import { dynamicImage } from '../support/vhd-damage.ts';

/*
 * Every code of the table, as text and as JSON. 4, "some items failed, others are done", is kept for commands that work on
 * several items; there is none yet.
 */

const MIB = 1024 * 1024;
const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
let env: Record<string, string> = {};
const run = (...words: string[]): Promise<Ended> => runCli(words, env);
const told = (row: BadRow): Promise<void> => expectTold(row, temp.path, env);

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('disk.raw'), noise(1, MIB));
  await writeFile(at('other.raw'), noise(2, MIB));
  expect(await run('init', '--compression', 'none')).toMatchObject({ exitCode: 0 });
  expect(await run('backup', 'web01', at('disk.raw'))).toMatchObject({ exitCode: 0 });
});

/** The same twice: as a person and as a program. `round` is 0 and 1. */
async function both(words: (round: number) => string[]): Promise<{ person: Ended; json: Record<string, unknown> }> {
  const person = await run(...words(0));
  const program = await run(...words(1), '--json');
  expect(program.exitCode, program.stdout).toBe(person.exitCode);
  const json = JSON.parse(program.stdout) as Record<string, unknown>;
  expect(json).toMatchObject({ schema: 1 });
  return { person, json };
}

describe('exit code 0', () => {
  it.each([
    { words: ['points'], text: /^web01 /m, result: { points: expect.any(Array), warnings: [] } },
    { words: ['items'], text: /^web01 /m, result: { items: [expect.objectContaining({ item: 'web01' })] } },
    { words: ['backup', 'web01'], text: /^point p[0-9a-f]{7} saved in /m, result: { item: 'web01', warnings: [] } },
    { words: ['verify', '--read-data'], text: /^no damage found$/m, result: { ok: true, findings: [] } },
    {
      words: ['verify', '--sample', '50%'],
      text: /^read [12] of 2 packs, .*everything$/m,
      result: { sampled: { runs: 2 } },
    },
    { words: ['scrub'], text: /^every name tells its bytes/m, result: { ok: true, findings: [] } },
    { words: ['backup', 'web01', '--dry-run'], text: /^dry run: nothing changed/m, result: { dryRun: true } },
  ])('is of $words: done, with not a word on standard error', async ({ words, text, result }) => {
    const { person, json } = await both(() => words);
    expect(person).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(text) });
    expect(json).toMatchObject(result);
  });
});

describe('exit codes of what is refused or not found', () => {
  it.each<BadRow>([
    {
      title: '1: it failed',
      words: () => ['vhd', 'info', at('gone.vhd')],
      is: [1, 'NOT_FOUND'],
      tells: /does not exist/,
      cure: /check the path/,
    },
    { title: '2: wrong usage', words: () => ['restore'], is: [2, 'USAGE'], tells: /REF is missing/, cure: /--help/ },
    {
      title: '10: no vault there',
      words: () => ['items', '--vault', at('nowhere')],
      is: [10, 'VAULT_MISSING'],
      tells: /no vault at/,
      cure: /vhdvault init/,
    },
    {
      title: '12: a wrong key',
      words: () => ['points', '--key-file', at('disk.raw')],
      is: [12, 'VAULT_KEY_WRONG'],
      tells: /the key file does not open the only key slot/,
      cure: /belongs to this vault/,
    },
    {
      title: '16: no such item',
      words: () => ['points', 'web09'],
      is: [16, 'NO_SUCH_ITEM'],
      tells: /web09/,
      cure: /it has: .*web01/,
    },
  ])('$title', told);
});

interface Warned {
  title: string;
  words: (round: number) => string[];
  warning: RegExp;
}

const warned: Warned[] = [
  {
    title: 'a failed --pre',
    words: () => ['backup', 'hooked', at('disk.raw'), '--pre', 'echo no; exit 5', '--consistency', 'app'],
    warning: /--pre failed with exit code 5: no: the point counts as crash-consistent, not app/,
  },
  {
    title: 'a failed --post',
    words: () => ['backup', 'hooked', at('disk.raw'), '--post', 'exit 6', '--consistency', 'app'],
    warning: /--post failed with exit code 6: the point counts as crash-consistent, not app/,
  },
  {
    title: 'a renamed disk',
    words: (round) => ['backup', 'web01', `new${round}=${at('disk.raw')}`],
    warning: /new\d was named \w+ in the latest point/,
  },
  {
    title: 'a disk that is new, and one that is gone',
    words: (round) => ['backup', `moved${round}`, `b=${at('other.raw')}`],
    warning: /^a of the latest point is not in this one$/,
  },
  {
    title: 'an image with one of its footers damaged',
    words: () => ['backup', 'odd', at('odd.vhd')],
    warning: /^odd: .*footer/,
  },
];

describe('exit code 3', () => {
  beforeAll(async () => {
    for (const item of ['moved0', 'moved1'])
      expect(await run('backup', item, `a=${at('disk.raw')}`)).toMatchObject({ exitCode: 0 });
    const odd = dynamicImage();
    odd[odd.length - 1]! ^= 1;
    odd[odd.length - 482]! ^= 1;
    await writeFile(at('odd.vhd'), odd);
  });

  it.each(warned)('is of a backup with a warning: $title', async ({ words, warning }) => {
    const { person, json } = await both(words);
    expect(person.exitCode, person.stdout).toBe(3);
    expect(person.stdout).toMatch(/^point p[0-9a-f]{7} saved/m);
    const lines = person.stdout.split('\n').filter((line) => line.startsWith('warning: '));
    for (const found of [lines.map((line) => line.slice('warning: '.length)), json.warnings])
      expect(found).toContainEqual(expect.stringMatching(warning));
  });

  it('is of looking at an image that needs a cure', async () => {
    const { person, json } = await both(() => ['vhd', 'info', at('odd.vhd')]);
    expect(person).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/^warnings \(1\)$[\s\S]*^ +cure: /m) });
    expect(json).toMatchObject({
      ok: true,
      findings: expect.arrayContaining([
        expect.objectContaining({ severity: 'warning', cure: expect.stringMatching(/./) }),
      ]),
    });
  });

  it('is of all that reads beside a damaged newest log entry, which verify calls damage', async () => {
    await cp(at('vault'), at('hurt'), { recursive: true });
    const last = (await readdir(at('hurt', 'log'))).sort().at(-1)!;
    await flipAt(at('hurt', 'log', last), 200);
    for (const words of [['points'], ['items'], ['show', 'web01'], ['stats'], ['restore', 'web01', '--to', at('r')]]) {
      const { person, json } = await both((round) =>
        [...words, '--vault', at('hurt')].map((word) => (word === at('r') ? at(`r${round}.raw`) : word)),
      );
      expect(person, words[0]).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('warning: ') });
      expect(json.warnings).toContainEqual(expect.stringMatching(new RegExp(`log/${last} .*vhdvault verify`)));
    }
    const { person, json } = await both(() => ['verify', '--vault', at('hurt')]);
    expect(person).toMatchObject({ exitCode: 13, stdout: expect.stringContaining('DAMAGE FOUND: 1 finding') });
    expect(json).toMatchObject({ ok: false, findings: [{ severity: 'damage', where: `log/${last}` }] });
  });

  it('is of a restore by best effort from a damaged vault, which gives all but the damaged block', async () => {
    await run('backup', 'torn', at('disk.raw'));
    await cp(at('vault'), at('torn'), { recursive: true });
    const packs = await readdir(at('torn', 'packs'), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of packs.filter((entry) => entry.isFile())) {
      const { size } = await stat(join(parentPath, name));
      // In the small ones lie the pages of the maps.
      if (size > MIB / 2) await flipAt(join(parentPath, name), 9000);
    }
    const words = ['restore', 'torn', '--vault', at('torn'), '--best-effort', '--to'];
    const { person, json } = await both((round) => [...words, at(`best${round}.raw`)]);
    expect(person).toMatchObject({ exitCode: 3, stderr: '' });
    expect(person.stdout).toMatch(/^disk, lost: 128 KiB in 1 range$/m);
    expect(person.stdout).toMatch(/^warning: disk: 131072 of 1048576 bytes, in one range, cannot be read/m);
    expect(person.stdout).toMatch(/^1 disk restored but for 128 KiB in /m);
    const [{ lost, lostBytes }] = json.disks as [RestoreResult['disks'][number]];
    expect({ lost, lostBytes }).toEqual({ lost: [{ offset: expect.any(Number), length: 131072 }], lostBytes: 131072 });
    const expected = (await readFile(at('disk.raw'))).fill(0, lost[0]!.offset, lost[0]!.offset + 131072);
    for (const round of [0, 1]) expect(Buffer.compare(await readFile(at(`best${round}.raw`)), expected)).toBe(0);
  });

  describeWhere(canLoop, 'no loop device can be made', 'of a block device', () => {
    it('is of a backup of one that can be written meanwhile, and not of one that cannot', async () => {
      for (const [readOnly, exitCode] of [
        [false, 3],
        [true, 0],
      ] as const) {
        using device = attachLoop(at('disk.raw'), { readOnly });
        const { person, json } = await both(() => ['backup', 'device', `d=${device.path}`]);
        expect(person).toMatchObject({ exitCode });
        const warning = expect.stringMatching(/^d is a writable block device.*read-only snapshot$/);
        expect(json.warnings).toEqual(readOnly ? [] : [warning]);
        if (!readOnly) expect(person.stdout).toMatch(/^warning: d is a writable block device/m);
      }
    });
  });
});

describe('exit code 11', () => {
  it('is of a second backup of an item at the same time, and tells who has it and since when', async () => {
    const before = Date.now();
    const first = startCli(['backup', 'web01', '--pre', waitingHook()], env);
    expect(await seenBeforeEnd(first, () => existsSync(at('started')))).toBe(true);
    const is: BadRow = {
      title: 'locked',
      words: () => ['backup', 'web01'],
      is: [11, 'ITEM_LOCKED'],
      tells: new RegExp(`web01 is being backed up by another run \\(process ${first.child.pid} on .*, since \\d{4}-`),
      cure: /wait for it to end/,
    };
    await told(is);
    const { error } = JSON.parse((await run('backup', 'web01', '--json')).stdout);
    expect(error.details).toMatchObject({ item: 'web01', pid: first.child.pid, host: expect.stringMatching(/./) });
    expect(Date.parse(error.details.since)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(error.details.since)).toBeLessThanOrEqual(Date.now());
    // Other items, and all that reads, go on.
    expect(await run('backup', 'web01', '--dry-run')).toMatchObject({ exitCode: 0 });
    await writeFile(at('go'), '');
    expect(await first.ended).toMatchObject({ exitCode: 0 });
    expect(await run('backup', 'web01')).toMatchObject({ exitCode: 0 });
  });
});

/** A hook that says that it runs, and waits to be told to go on. */
function waitingHook(): string {
  return `touch '${at('started')}'; while [ ! -e '${at('go')}' ]; do sleep 0.02; done; rm '${at('started')}' '${at('go')}'`;
}

async function flipAt(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[position]! ^= 1;
  await writeFile(path, bytes);
}

describe('exit code 13', () => {
  it('is of verify where it finds damage, and of a restore that would need what is damaged', async () => {
    await cp(at('vault'), at('bad'), { recursive: true });
    const packs = await readdir(at('bad', 'packs'), { recursive: true, withFileTypes: true });
    for (const pack of packs.filter((entry) => entry.isFile())) await flipAt(join(pack.parentPath, pack.name), 9000);
    const { person, json } = await both(() => ['verify', '--read-data', '--vault', at('bad')]);
    expect(person).toMatchObject({
      exitCode: 13,
      stdout: expect.stringMatching(/^DAMAGE FOUND: \d+ findings?, touching/m),
    });
    expect(json).toMatchObject({ ok: false });
    expect(json.findings).toContainEqual(
      expect.objectContaining({
        severity: 'damage',
        cure: expect.stringMatching(/./),
        points: expect.arrayContaining([]),
      }),
    );
    const scrubbed = await both(() => ['scrub', '--vault', at('bad')]);
    expect(scrubbed.person).toMatchObject({
      exitCode: 13,
      stdout: expect.stringMatching(/^DAMAGE FOUND: \d+ finding/m),
    });
    expect(scrubbed.json).toMatchObject({ ok: false, checked: { slots: 1 } });
    await told({
      title: 'restore',
      words: () => ['restore', 'web01', '--to', at('never.raw'), '--vault', at('bad')],
      is: [13, 'VAULT_DAMAGED'],
      tells: /packs\//,
      cure: /--best-effort/,
    });
    expect(existsSync(at('never.raw'))).toBe(false);
  });

  it('is of a vault that went back, until that is accepted', async () => {
    await cp(at('vault'), at('older'), { recursive: true });
    expect(await run('backup', 'web01')).toMatchObject({ exitCode: 0 });
    await rename(at('vault'), at('newer'));
    await rename(at('older'), at('vault'));
    const row: BadRow = {
      title: 'went back',
      words: () => ['points'],
      is: [13, 'VAULT_ROLLED_BACK'],
      tells: /went back from entry \d+ to \d+/,
      cure: /--accept-rollback/,
    };
    await told(row);
    await told({ ...row, words: () => ['backup', 'web01'] });
    const { person, json } = await both(() => ['points', '--accept-rollback']);
    expect(person).toMatchObject({ exitCode: 0, stderr: '' });
    expect(json).toMatchObject({ points: expect.any(Array) });
    expect(await run('points')).toMatchObject({ exitCode: 0 });
    await rm(at('vault'), { recursive: true });
    await rename(at('newer'), at('vault'));
  });
});

const WAYS = [
  { as: 'text', json: [] },
  { as: 'JSON', json: ['--json'] },
];

describe('exit code 14', () => {
  const row: BadRow = {
    title: 'changing',
    words: () => ['backup', 'changing', at('huge.raw'), '--progress', 'json'],
    is: [14, 'SOURCE_CHANGED'],
    tells: /huge.* changed while it was read/,
    cure: /snapshot/,
  };

  it.each(WAYS)('is of a source that changes while it is read, found early ($as)', async ({ json }) => {
    await writeFile(at('huge.raw'), '');
    await truncate(at('huge.raw'), 8192 * MIB);
    const started = startCli([...row.words(), ...json], env);
    const staging = at('vault', 'staging');
    const begins = (): boolean => readdirSync(staging).some((name) => name.startsWith('Azure'));
    expect(await seenBeforeEnd(started, begins)).toBe(true);
    {
      await using file = await open(at('huge.raw'), 'r+');
      await file.write(Buffer.from('change'), 0, 6, 5000 * MIB);
    }
    const { stderr, ...ended } = await started.ended;
    const { events = [], text = [] } = Object.groupBy(stderr.split('\n'), (line) =>
      line.startsWith('{') ? 'events' : 'text',
    );
    const check = json.length > 0 ? expectJson : expectText;
    check({ ...ended, stderr: text.join('\n') }, row);
    // So early, perhaps, that no progress was told yet.
    const { done, total } = events.length > 0 ? JSON.parse(events.at(-1)!) : { done: 0, total: 1 };
    expect(done).toBeLessThan(total / 2);
    expect(readdirSync(staging)).toEqual([]);
    await rm(at('huge.raw'));
  });
});

describe('exit code 15', () => {
  const row: BadRow = {
    title: 'too large',
    words: () => ['backup', 'large', at('large.raw')],
    is: [15, 'NO_SPACE'],
    tells: /a file would grow larger than .* allows while writing .*\/staging\//,
    cure: /raise the limit.*nothing that was saved before is lost/,
  };

  it('is of a file that may not grow, and nothing half-written stays', async () => {
    await writeFile(at('large.raw'), noise(3, 24 * MIB));
    await limited(row, { largestFile: 4 * MIB });
    expect(readdirSync(at('vault', 'staging'))).toEqual([]);
    const convert = { ...row, words: () => ['vhd', 'convert', at('large.raw'), at('large.vhd')], tells: /large\.vhd/ };
    await limited(convert, { largestFile: 4 * MIB });
    expect((await readdir(temp.path)).filter((name) => name.includes('large'))).toEqual(['large.raw']);
    expect(await run('backup', 'large', at('large.raw'))).toMatchObject({ exitCode: 0 });
  });

  async function limited({ words, ...rest }: BadRow, limit: StartOptions): Promise<void> {
    expectText(await startCli(words(), env, limit).ended, { words, ...rest });
    expectJson(await startCli([...words(), '--json'], env, limit).ended, { words, ...rest });
  }

  describeWhere(canMount, 'nothing can be mounted', 'on a full disk', () => {
    it('is of a backup, before it writes or when it is full, and of a restore', async () => {
      await mkdir(at('small'));
      using disk = mountMemory(at('small'), 256 * MIB);
      const small = { ...env, VHDVAULT_VAULT: at('small', 'vault') };
      expect(await runCli(['init', '--compression', 'none'], small)).toMatchObject({ exitCode: 0 });
      await writeFile(at('fill.raw'), noise(4, 60 * MIB));
      for (const [n, json] of [[], ['--json']].entries()) {
        disk.leave(40 * MIB);
        const words = ['backup', `full${n}`, at('fill.raw'), '--threads', '2', ...json];
        const check = json.length > 0 ? expectJson : expectText;
        check(await runCli(words, small), {
          ...row,
          tells: /no space left while .*\/vault\//,
          cure: /free some space/,
        });
      }
      disk.leave(10 * MIB);
      const refused = (words: string[], tells: RegExp): Promise<void> =>
        expectTold({ ...row, words: () => words, tells, cure: /free some space/ }, temp.path, small);
      await refused(['backup', 'large', at('fill.raw')], /the vault has 10 MiB free, a run needs at least \d+ MiB/);
      await refused(['vhd', 'convert', at('fill.raw'), at('small', 'x.vhd')], /no space left while .*x\.vhd/);
      await refused(
        ['restore', 'large', '--to', at('small', 'x.raw'), '--vault', at('vault')],
        /needs 24 MiB at .*small/,
      );
    });
  });
});

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('of a run that is asked to end by %s', (signal, exit) => {
  it.each(WAYS)(`the exit code is ${exit} ($as)`, async ({ json }) => {
    const started = startCli(['backup', 'web01', '--pre', waitingHook(), ...json], env);
    expect(await seenBeforeEnd(started, () => existsSync(at('started')))).toBe(true);
    started.child.kill(signal);
    const ended = await started.ended;
    await rm(at('started'));
    const row: BadRow = { title: '', words: () => [], is: [exit, 'CANCELLED'], tells: /cancelled/, cure: /^$/ };
    if (json.length === 0) expectText(ended, row);
    else expect(JSON.parse(ended.stdout)).toMatchObject({ schema: 1, error: { code: 'CANCELLED' } });
    expect(ended).toMatchObject({ exitCode: exit, signal: undefined });
    expect(readdirSync(at('vault', 'locks'))).toEqual([]);
  });
});
