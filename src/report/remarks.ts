import { type Look, paint } from './look.ts';

/** Warnings and notices, one line each. */
export function remarkLines(look: Look, warnings: readonly string[], notices: readonly string[] = []): string[] {
  return [
    ...notices.map((notice) => `note: ${notice}`),
    ...warnings.map((warning) => `${paint(look, 'yellow', 'warning:')} ${warning}`),
  ];
}
