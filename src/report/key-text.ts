import type { KeyChangeResult, KeySlot, KeysResult } from '../jobs/key-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { oneLine } from './printable.ts';
import { remarkLines } from './remarks.ts';
import { tableLines } from './table.ts';

const HEAD = ['slot', 'key', 'since', 'file', 'label'];
const KINDS: Readonly<Record<KeySlot['kind'], string>> = {
  passphrase: 'passphrase',
  'key-file': 'key file',
  unknown: 'unknown',
};

/** The key slots, oldest first; the one that opened the session is marked. */
export function keysText(result: KeysResult, look: Look): string {
  return [...slotLines(result), ...remarkLines(look, result.warnings)].join('\n');
}

/** What a change came to, and the slots as they are now. */
export function keyChangeText(result: KeyChangeResult, look: Look): string {
  return [
    paint(look, 'green', changeText(result)),
    ...slotLines(result),
    ...remarkLines(look, result.warnings, result.notices),
  ].join('\n');
}

function changeText({ added, removed }: KeyChangeResult): string {
  const gone = removed.join(', ');
  if (added === null) return `${gone} removed`;
  return removed.length === 0 ? `${added} added` : `${added} took the place of ${gone}`;
}

function slotLines({ slots, unlisted }: KeysResult): string[] {
  const rows = slots.map(({ name, kind, added, file, label, opened }) => [
    opened ? `${name} ◀` : name,
    KINDS[kind],
    momentText(added),
    file,
    label,
  ]);
  return [...tableLines(rows, { head: HEAD }), ...otherLines(unlisted)];
}

const MOST_OTHERS = 6;

function otherLines(unlisted: readonly string[]): string[] {
  if (unlisted.length === 0) return [];
  const named = unlisted.slice(0, MOST_OTHERS).map(oneLine).join(', ');
  const more = unlisted.length - MOST_OTHERS;
  return [`not listed: ${named}${more > 0 ? ` and ${more} more` : ''}`];
}
