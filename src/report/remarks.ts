import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';

/** Warnings and notices, one line each. */
export function remarkLines(look: Look, warnings: readonly string[], notices: readonly string[] = []): string[] {
  return [
    ...notices.map((notice) => `note: ${oneLine(notice)}`),
    ...warnings.map((warning) => `${paint(look, 'yellow', 'warning:')} ${oneLine(warning)}`),
  ];
}
