import { VhdvaultError } from '../base/errors.ts';
import { checkWords } from '../point/manifest.ts';
import type { BackupOptions } from './backup-types.ts';
import { rateLimitOf } from './rate-limit-of.ts';

const TYPES: readonly string[] = ['auto', 'full', 'incremental', 'differential'] satisfies BackupOptions['type'][];
const CONSISTENCIES: readonly string[] = ['crash', 'file', 'app'] satisfies BackupOptions['consistency'][];

/** What a caller without types may get wrong, before anything is locked or read. @throws USAGE */
export function checkOptions({
  type,
  consistency,
  hookTimeout,
  fullScanEvery = 0,
  limitRate,
  tags = [],
  note = '',
}: BackupOptions): void {
  rateLimitOf({ ...(limitRate !== undefined && { limitRate }) });
  checkWord('type', type, TYPES);
  checkWord('consistency', consistency, CONSISTENCIES);
  if (hookTimeout !== undefined && !(hookTimeout > 0)) {
    throw new VhdvaultError('USAGE', `hookTimeout is ${hookTimeout}`, { hint: 'give milliseconds, more than 0' });
  }
  if (!(fullScanEvery >= 0)) {
    throw new VhdvaultError('USAGE', `fullScanEvery is ${fullScanEvery}`, { hint: 'give milliseconds, from 0' });
  }
  checkWords({ tags, note });
}

function checkWord(option: string, word: string | undefined, words: readonly string[]): void {
  if (word === undefined || words.includes(word)) return;
  throw new VhdvaultError('USAGE', `${option} is "${word}"`, { hint: `it must be one of ${words.join(', ')}` });
}
