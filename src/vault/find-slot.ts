import { VhdvaultError } from '../base/errors.ts';
import type { Slot } from './vault.ts';

/**
 * The slot that somebody names: by its name, its label, or the beginning of its name; undefined where there is none.
 * @throws USAGE when several begin so
 */
export function findSlot<S extends Pick<Slot, 'name' | 'label'>>(slots: readonly S[], word: string): S | undefined {
  const exact = slots.find(({ name }) => name === word) ?? slots.find(({ label }) => label === word && label !== '');
  if (exact) return exact;
  const begins = slots.filter(({ name }) => word !== '' && name.startsWith(word));
  if (begins.length <= 1) return begins[0];
  const names = begins.map(({ name }) => name).join(', ');
  throw new VhdvaultError('USAGE', `several key slots begin with ${word}: ${names}`, {
    hint: 'give more of the name, or the label',
    details: { slot: word },
  });
}

const MOST_LABEL = 100;

/** @throws USAGE for a label that would not stay one line, or that another slot has */
export function checkLabel(slots: readonly Pick<Slot, 'name' | 'label'>[], label: string): void {
  if (label.length > MOST_LABEL || label.trim() !== label || /\p{Cc}/u.test(label)) {
    throw new VhdvaultError('USAGE', `a label of ${label.length} characters is no label for a key slot`, {
      hint: `use up to ${MOST_LABEL} characters in one line, with no spaces at its ends`,
    });
  }
  const other = label === '' ? undefined : slots.find((slot) => slot.label === label);
  if (!other) return;
  throw new VhdvaultError('USAGE', `the key slot ${other.name} has the label ${label} already`, {
    hint: 'choose another one: slots are told apart by it',
    details: { slot: other.name },
  });
}

export function noSuchSlot(word: string): VhdvaultError {
  return new VhdvaultError(
    'NO_SUCH_SLOT',
    word === '' ? 'the key slot was named by an empty text' : `there is no key slot ${word}`,
    {
      hint: '`vhdvault key list` tells names and labels',
      details: { slot: word },
    },
  );
}
