import type { InitResult } from '../jobs/types.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { sizeText } from './quantity.ts';

export function initText(result: InitResult, look: Look): string {
  const compression = result.compression === 'none' ? 'not compressed' : `${result.compression} compression`;
  const lines = [
    `vault ${result.id} made in ${oneLine(result.vault)}`,
    `  blocks of ${sizeText(result.blockSize)}, ${compression}, ${result.encrypted ? 'encrypted' : 'NOT encrypted'}`,
  ];
  if (result.encrypted) {
    lines.push(
      paint(look, 'yellow', 'keep the passphrase or key file safe: without it nobody can read this vault again'),
    );
  }
  return lines.join('\n');
}
