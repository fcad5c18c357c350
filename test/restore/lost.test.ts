import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { joinLost, lostInto, nothingLost } from '../../src/restore/lost.ts';

const damaged = new VhdvaultError('VAULT_DAMAGED', 'a pack is missing', { hint: 'look', details: { path: 'packs/a' } });
const failed = new VhdvaultError('IO', 'reading failed');

describe('what is lost', () => {
  it('is joined as it comes, since it may be all of a large disk', () => {
    const lost = nothingLost();
    const tell = lostInto(lost, true);
    for (let n = 0; n < 10_000; n++) tell({ offset: n * 512, length: 512 }, damaged);
    expect(lost).toEqual({
      ranges: [{ offset: 0, length: 5_120_000 }],
      bytes: 5_120_000,
      ioBytes: 0,
      cause: 'a pack is missing',
    });
  });

  it('is put in order, whoever found it, and joined where two workers met', () => {
    const [one, other] = [nothingLost(), nothingLost()];
    for (const n of [4, 1]) lostInto(one, true)({ offset: n * 512, length: 512 }, damaged);
    for (const n of [0, 2, 8]) lostInto(other, true)({ offset: n * 512, length: 512 }, failed);
    const before = structuredClone([one, other]);
    expect(joinLost([nothingLost(), one, other])).toEqual({
      ranges: [
        { offset: 0, length: 3 * 512 },
        { offset: 4 * 512, length: 512 },
        { offset: 8 * 512, length: 512 },
      ],
      bytes: 5 * 512,
      ioBytes: 3 * 512,
      cause: 'a pack is missing',
    });
    expect([one, other]).toEqual(before);
    expect(joinLost([])).toEqual(nothingLost());
  });

  it('is thrown where it must not be, with all that was known and the way out', () => {
    const lost = nothingLost();
    const thrown = (): void => lostInto(lost, false)({ offset: 0, length: 512 }, damaged);
    expect(thrown).toThrow(
      expect.objectContaining({
        ...{ code: 'VAULT_DAMAGED', message: 'a pack is missing', details: { path: 'packs/a' } },
        hint: expect.stringMatching(/^look; until then `restore --best-effort` /),
      }),
    );
    expect(lost).toEqual(nothingLost());
  });
});
