import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/base/finding.ts';
import { exitCodeOfError, exitCodeOfResult } from '../../src/cli/exit-code.ts';

describe('an error ends a run', () => {
  test.each([
    ['USAGE', 2],
    ['ITEM_NAME', 2],
    ['DISK_NAME', 2],
    ['VAULT_MISSING', 10],
    ['ITEM_LOCKED', 11],
    ['VAULT_KEY_MISSING', 12],
    ['VAULT_KEY_WRONG', 12],
    ['VAULT_KEY_REFUSED', 12],
    ['VAULT_DAMAGED', 13],
    ['VAULT_ROLLED_BACK', 13],
    ['SOURCE_CHANGED', 14],
    ['NO_SPACE', 15],
    ['NO_SUCH_ITEM', 16],
    ['NO_SUCH_POINT', 16],
    ['CANCELLED', 130],
    ['IO', 1],
    ['BUG', 1],
  ] as const)('%s with exit code %d', (code, exit) => {
    expect(exitCodeOfError(code)).toBe(exit);
  });
});

describe('a result ends a run', () => {
  const finding: Finding = { severity: 'warning', code: 'X', what: '', where: '', cure: 'do it' };

  test('with 0 where nothing needs doing', () => {
    expect(exitCodeOfResult({})).toBe(0);
    expect(exitCodeOfResult({ ok: true, warnings: [], findings: [{ ...finding, severity: 'info' }] })).toBe(0);
    expect(exitCodeOfResult({ findings: [{ ...finding, cure: '' }] })).toBe(0);
  });

  test('with 3 where the user must act', () => {
    expect(exitCodeOfResult({ warnings: ['x'] })).toBe(3);
    expect(exitCodeOfResult({ ok: true, findings: [finding] })).toBe(3);
  });

  test('as its part ended that failed, whatever else', () => {
    expect(exitCodeOfResult({ warnings: ['x'], gcError: { code: 'NO_SPACE' } })).toBe(15);
    expect(exitCodeOfResult({ gcError: null })).toBe(0);
  });

  test('with 13 where it is not well, whatever else', () => {
    expect(exitCodeOfResult({ ok: false, warnings: ['x'] })).toBe(13);
  });
});
