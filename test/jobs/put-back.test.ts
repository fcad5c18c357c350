import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AttackedVault,
  attackedVault,
  type ExamineOptions,
  type Files,
  type Moment,
  type SeenMoment,
} from '../support/attacked-vault.ts';
import { familyTwin } from '../support/family-twin.ts';
import { tempFolder } from '../support/temp-folder.ts';

/*
 * Somebody who can write to the folder of a vault, and has no key, puts back what was once there, or what is authentic
 * elsewhere: older objects, another history, a vault of the same family. A machine that knows the vault notices more than
 * one that sees it for the first time; the last column is what can be noticed without anything to compare with.
 */
const temp = tempFolder({ inMemory: true });
let vault: AttackedVault;
/** Grown apart from the same beginning: a point more each, and entries up to 100 and 98. */
let [one, other]: SeenMoment[] = [];
/** Of the same family and key, as a copy would be; and of the same key only. */
let [twin, stranger]: Moment[] = [];
/** Without encryption, with the ids of the vault. */
let clear: Moment;

beforeAll(async () => {
  vault = await attackedVault(temp.fresh('attacked'));
  one = await vault.grown(vault, 5, 100);
  other = await vault.grown(vault, 6, 98);
  twin = await familyTwin(vault.bench, temp.fresh('twin'), { family: true });
  stranger = await familyTwin(vault.bench, temp.fresh('stranger'), {});
  clear = await familyTwin(vault.bench, temp.fresh('clear'), { family: true, id: true, encrypted: false });
});

const entry = (n: number): string => `log/${String(n).padStart(20, '0')}`;
const ckpt = (n: number): string => `ckpt/${String(n).padStart(20, '0')}`;
const entries = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => entry(from + n));
const OBJECTS = /^(packs|index)\//;
const all = (files: Files, pattern: RegExp): string[] => [...files.keys()].filter((path) => pattern.test(path));

function without(files: Files, ...gone: (string | RegExp)[]): Files {
  const isGone = (path: string): boolean =>
    gone.some((what) => (typeof what === 'string' ? path === what : what.test(path)));
  return new Map([...files].filter(([path]) => !isGone(path)));
}

/** With files of another vault, under the same or other names. */
function withFrom(files: Files, { files: from }: Moment, ...paths: (string | [there: string, here: string])[]): Files {
  const pairs = paths.map((path) => (typeof path === 'string' ? [path, path] : path) as [string, string]);
  return new Map([...files, ...pairs.map(([there, here]): [string, Uint8Array] => [here, from.get(there)!])]);
}

/** A pack of the same size. */
function packLike(bytes: Uint8Array): string {
  return all(vault.files, /^packs/).find((path) => vault.files.get(path)!.byteLength === bytes.byteLength)!;
}

interface Row {
  what: string;
  attacked: () => Files;
  /** To a machine that knows the vault, and to one that never saw it. */
  known: string;
  fresh: string;
  more?: () => ExamineOptions;
}

const old = (): ExamineOptions => ({ truth: vault.before.truth });
const forked = (): ExamineOptions => ({
  seen: one!.seen,
  truth: vault.truth,
  made: new Map([...one!.truth, ...other!.truth]),
});
const BACK = 'VAULT_ROLLED_BACK';
const DAMAGED = 'VAULT_DAMAGED';

const history: Row[] = [
  { what: 'an older copy of all', attacked: () => vault.before.files, known: BACK, fresh: 'harmless', more: old },
  {
    what: 'the log without its end',
    attacked: () => without(vault.files, entry(66)),
    known: BACK,
    fresh: 'note',
    more: old,
  },
  {
    what: 'the log cut under its checkpoint',
    attacked: () => without(vault.files, ...entries(41, 66)),
    ...{ known: BACK, fresh: 'damage', more: old },
  },
  {
    what: 'the log cut, with junk as its newest entry',
    attacked: () => new Map([...without(vault.files, ...entries(65, 66)), [entry(65), Uint8Array.of(1, 2, 3)]]),
    ...{ known: BACK, fresh: 'damage', more: old },
  },
  {
    what: 'the log cut with its checkpoint',
    attacked: () => without(vault.files, ...entries(41, 66), ckpt(64)),
    ...{ known: BACK, fresh: 'note', more: old },
  },
  {
    what: 'the log cut with all checkpoints',
    attacked: () => without(vault.files, ...entries(31, 66), /^ckpt/),
    ...{ known: BACK, fresh: 'note', more: old },
  },
  {
    what: 'a gap under a checkpoint',
    attacked: () => without(vault.files, entry(50)),
    known: 'opened',
    fresh: 'damage',
  },
  { what: 'a gap', attacked: () => without(vault.files, entry(65)), known: 'opened', fresh: 'damage' },
  {
    what: 'a gap of several',
    attacked: () => without(vault.files, entry(64), entry(65), ckpt(64)),
    known: 'opened',
    fresh: 'damage',
  },
  {
    what: 'two neighbours swapped',
    attacked: () => withFrom(vault.files, vault, [entry(65), entry(66)], [entry(66), entry(65)]),
    ...{ known: 'opened', fresh: 'damage', more: old },
  },
  {
    what: 'an entry twice',
    attacked: () => withFrom(vault.files, vault, [entry(66), entry(67)]),
    known: 'opened',
    fresh: 'damage',
  },
  { what: 'no checkpoints', attacked: () => without(vault.files, /^ckpt/), known: 'opened', fresh: 'harmless' },
  {
    what: 'an older checkpoint as the newest',
    attacked: () => withFrom(vault.files, vault, [ckpt(32), ckpt(64)]),
    ...{ known: 'opened', fresh: 'note' },
  },
  {
    what: 'a checkpoint of what is to come',
    attacked: () => withFrom(vault.files, one!, ckpt(96)),
    known: 'opened',
    fresh: 'damage',
  },
];

const forks: Row[] = [
  {
    what: 'the other history, whole',
    attacked: () => other!.files,
    ...{ known: BACK, fresh: 'harmless', more: () => ({ ...forked(), truth: other!.truth }) },
  },
  {
    what: 'the other history from where they part',
    attacked: () =>
      withFrom(
        without(one!.files, ...entries(67, 100), ckpt(96)),
        other!,
        ...entries(67, 98),
        ...all(other!.files, OBJECTS),
      ),
    ...{ known: BACK, fresh: 'note', more: () => ({ ...forked(), truth: other!.truth }) },
  },
  {
    what: 'its first entries of its own',
    attacked: () => withFrom(one!.files, other!, ...entries(67, 68), ...all(other!.files, OBJECTS)),
    ...{ known: 'opened', fresh: 'damage', more: forked },
  },
  {
    what: 'one of its entries',
    attacked: () => withFrom(one!.files, other!, entry(98)),
    known: 'opened',
    fresh: 'damage',
    more: forked,
  },
  {
    what: 'its checkpoint',
    attacked: () => withFrom(one!.files, other!, ckpt(96)),
    known: 'opened',
    fresh: 'damage',
    more: forked,
  },
];

const others: Row[] = [
  { what: 'all of it', attacked: () => twin!.files, known: BACK, fresh: 'harmless', more: () => twin! },
  { what: 'vault.json', attacked: () => withFrom(vault.files, twin!, 'vault.json'), known: DAMAGED, fresh: DAMAGED },
  {
    what: 'its slot only',
    attacked: () => withFrom(without(vault.files, /^keys/), twin!, ...all(twin!.files, /^keys/)),
    ...{ known: DAMAGED, fresh: DAMAGED },
  },
  {
    what: 'its slot besides',
    attacked: () => withFrom(vault.files, twin!, ...all(twin!.files, /^keys/)),
    ...{ known: 'opened', fresh: 'note' },
  },
  {
    what: 'its log',
    attacked: () => withFrom(without(vault.files, /^(log|ckpt)/), twin!, ...all(twin!.files, /^(log|ckpt)/)),
    ...{ known: DAMAGED, fresh: DAMAGED },
  },
  {
    what: 'one of its entries',
    attacked: () => withFrom(vault.files, twin!, entry(64)),
    known: 'opened',
    fresh: 'damage',
  },
  {
    what: 'an entry of it as the next one',
    attacked: () => withFrom(vault.files, twin!, [entry(64), entry(67)]),
    ...{ known: 'opened', fresh: 'damage' },
  },
  { what: 'its checkpoint', attacked: () => withFrom(vault.files, twin!, ckpt(64)), known: 'opened', fresh: 'damage' },
  {
    what: 'its older checkpoint',
    attacked: () => withFrom(vault.files, twin!, ckpt(32)),
    known: 'opened',
    fresh: 'damage',
  },
  {
    what: 'its packs and segments besides',
    attacked: () => withFrom(vault.files, twin!, ...all(twin!.files, OBJECTS)),
    ...{ known: 'opened', fresh: 'note' },
  },
  {
    what: 'its packs as those of this vault',
    attacked: () =>
      withFrom(
        vault.files,
        twin!,
        ...all(twin!.files, /^packs/).map((path): [string, string] => [path, packLike(twin!.files.get(path)!)]),
      ),
    ...{ known: 'opened', fresh: 'damage' },
  },
  {
    what: 'its segment as one of this vault',
    attacked: () => withFrom(vault.files, twin!, [all(twin!.files, /^index/)[0]!, all(vault.files, /^index/)[0]!]),
    ...{ known: 'opened', fresh: 'damage' },
  },
];

const strangers: Row[] = [
  { what: 'all of it', attacked: () => stranger!.files, known: BACK, fresh: 'harmless', more: () => stranger! },
  {
    what: 'an entry as the next one',
    attacked: () => withFrom(vault.files, stranger!, [entry(64), entry(67)]),
    ...{ known: 'opened', fresh: 'damage' },
  },
  {
    what: 'its checkpoint',
    attacked: () => withFrom(vault.files, stranger!, ckpt(64)),
    known: 'opened',
    fresh: 'note',
  },
  {
    what: 'its slot, packs and segments',
    attacked: () => withFrom(vault.files, stranger!, ...all(stranger!.files, /^(packs|index|keys)\//)),
    ...{ known: 'opened', fresh: 'note' },
  },
];

const slots: Row[] = [
  {
    what: 'all slots gone',
    attacked: () => without(vault.files, /^keys/),
    known: 'VAULT_DAMAGED',
    fresh: 'VAULT_DAMAGED',
  },
];

async function expectRow({ attacked, known, fresh, more }: Row): Promise<void> {
  const options = more?.() ?? {};
  expect(await vault.outcomeOf(attacked(), options)).toEqual({ known, fresh, broken: [] });
}

describe('what is put back into a vault', () => {
  it.each([...history, ...slots])('$what: $known to who knows it, $fresh to who does not', expectRow);
});

describe('of two vaults that grew apart, put into the one that was seen', () => {
  it.each(forks)('$what: $known to who knows it, $fresh to who does not', expectRow);
});

describe('of a vault of the same family and key', () => {
  it.each(others)('$what: $known to who knows it, $fresh to who does not', expectRow);
});

describe('of a vault of another family', () => {
  it.each(strangers)('$what: $known to who knows it, $fresh to who does not', expectRow);
});

describe('a vault.json', () => {
  const changes: [string, (fields: Record<string, unknown>) => object, string][] = [
    [
      'without encryption',
      (fields) => ({ ...fields, encryption: 'none', publicKey: 'ab'.repeat(32) }),
      'VAULT_KEY_REFUSED',
    ],
    ['with a public key', (fields) => ({ ...fields, publicKey: 'ab'.repeat(32) }), DAMAGED],
    ['of another id', (fields) => ({ ...fields, id: 'ab'.repeat(16) }), DAMAGED],
    ['of another family', (fields) => ({ ...fields, family: 'ab'.repeat(16) }), DAMAGED],
    ['with another block size', (fields) => ({ ...fields, blockSize: 32768 }), DAMAGED],
    ['with another codec', (fields) => ({ ...fields, codec: 'zstd' }), DAMAGED],
    ['with another certificate key', (fields) => ({ ...fields, certificateKey: 'ab'.repeat(32) }), DAMAGED],
    ['for a single writer', (fields) => ({ ...fields, singleWriter: true }), DAMAGED],
    ['with another reserve', (fields) => ({ ...fields, reserve: 0 }), DAMAGED],
    ['of an older format', (fields) => ({ ...fields, format: -1 }), DAMAGED],
    ['of a newer format', (fields) => ({ ...fields, format: 1 }), 'VAULT_NEWER'],
    ['with an unknown feature', (fields) => ({ ...fields, features: ['x'] }), 'VAULT_NEWER'],
    ['without features', ({ features: _, ...fields }) => fields, DAMAGED],
    ['with a field more', (fields) => ({ ...fields, more: 1 }), DAMAGED],
  ];

  it.each(changes)('%s is refused everywhere', async (_, change, code) => {
    const fields = JSON.parse(Buffer.from(vault.files.get('vault.json')!).toString()) as Record<string, unknown>;
    const bytes = Buffer.from(`${JSON.stringify(change(fields), null, 2)}\n`);
    const outcome = await vault.outcomeOf(new Map([...vault.files, ['vault.json', bytes]]));
    expect(outcome).toEqual({ known: code, fresh: code, broken: [] });
  });

  it('without encryption is refused to who gives no secret, too', async () => {
    const fields = JSON.parse(Buffer.from(vault.files.get('vault.json')!).toString()) as Record<string, unknown>;
    const open = { ...fields, encryption: 'none', publicKey: 'ab'.repeat(32) };
    const bytes = Buffer.from(`${JSON.stringify(open, null, 2)}\n`);
    const files = new Map([...vault.files, ['vault.json', bytes]]);
    const outcome = await vault.outcomeOf(files, { secret: { passphrase: undefined } });
    expect(outcome).toEqual({ known: DAMAGED, fresh: DAMAGED, broken: [] });
  });
});

describe('another vault without encryption, with the same ids', () => {
  it('is refused to who gives the passphrase', async () => {
    const code = 'VAULT_KEY_REFUSED';
    expect(await vault.outcomeOf(clear.files)).toEqual({ known: code, fresh: code, broken: [] });
  });

  it('is refused to who gives none and knows the vault; who does not, takes it for what it is', async () => {
    const options = { truth: clear.truth, secret: { passphrase: undefined } };
    expect(await vault.outcomeOf(clear.files, options)).toEqual({ known: BACK, fresh: 'harmless', broken: [] });
  });
});
