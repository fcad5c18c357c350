import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addId, createIdFilter, mayHoldId } from '../../src/backup/id-filter.ts';

describe('the filter before the overlay', () => {
  const filter = createIdFilter();
  const ids = Array.from({ length: 100_000 }, () => randomBytes(32));
  for (const id of ids) addId(filter, id);

  it('never misses an id that was added', () => {
    expect(ids.filter((id) => !mayHoldId(filter, id))).toEqual([]);
  });

  it('is wrong of few others', () => {
    const others = Array.from({ length: 100_000 }, () => randomBytes(32));
    expect(others.filter((id) => mayHoldId(filter, id)).length).toBeLessThan(10);
  });

  it('knows nothing when it is new', () => {
    const empty = createIdFilter();
    expect(ids.slice(0, 1000).filter((id) => mayHoldId(empty, id))).toEqual([]);
  });
});
