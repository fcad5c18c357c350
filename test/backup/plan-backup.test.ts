import { describe, expect, it } from 'vitest';
import { checkPointCount, fullnessWarning, MOST_POINTS } from '../../src/backup/plan-backup.ts';

const FORGET = '`vhdvault forget web01 --keep-daily 30 --keep-monthly 12 --dry-run` shows which would go';

describe('the number of points of an item', () => {
  it('is at most 9999', () => {
    expect(MOST_POINTS).toBe(9999);
    expect(() => checkPointCount('web01', 9998)).not.toThrow();
    expect(() => checkPointCount('web01', 9999)).toThrow(
      expect.objectContaining({
        code: 'ITEM_FULL',
        message: 'web01 has 9999 recovery points, as many as an item may have',
        hint: `forget some: ${FORGET}`,
        details: { item: 'web01', points: 9999 },
      }),
    );
  });

  it('leaves room for so many more', () => {
    expect(() => checkPointCount('web01', 9990, 9)).not.toThrow();
    expect(() => checkPointCount('web01', 9990, 10)).toThrow(
      'web01 has 9990 recovery points and may have 9999: there is no room for 10 more',
    );
  });

  it('is warned of from the 9000th on, with a command that only tells', () => {
    expect(fullnessWarning('web01', 8999)).toEqual([]);
    expect(fullnessWarning('web01', 9000)).toEqual([
      `with this one, web01 has 9000 of at most 9999 recovery points: forget some soon (${FORGET})`,
    ]);
    expect(fullnessWarning('web01', 9999)).toEqual([expect.stringContaining('has 9999 of at most 9999')]);
  });
});
