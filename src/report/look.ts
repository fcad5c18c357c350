import { styleText } from 'node:util';

/** How results are to look: what depends on the stream they go to, and on the moment. */
export interface Look {
  /** The stream is a terminal and NO_COLOR is unset. */
  color: boolean;
  /** Milliseconds since 1970; a time of today is written without its date. */
  now: number;
}

export function paint(look: Look, style: 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan', text: string): string {
  return look.color ? styleText(style, text, { validateStream: false }) : text;
}
