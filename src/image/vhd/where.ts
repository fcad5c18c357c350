import { type ErrorCode, type ErrorDetails, VhdvaultError } from '../../base/errors.ts';

/** Where a structure was found, for messages. */
export interface Where {
  /** Of the file. */
  path: string;
  /** Of the structure's first byte in the file. */
  offset: number;
}

export const NOWHERE: Where = { path: '(memory)', offset: 0 };

/** The error of a field, at its own offset. */
export function malformed(
  code: ErrorCode,
  where: Where,
  fact: { at?: number; what: string; expected?: string | number; found?: string | number | null; hint: string },
): VhdvaultError {
  const offset = where.offset + (fact.at ?? 0);
  const details: Record<string, ErrorDetails[string]> = { path: where.path, offset };
  if (fact.expected !== undefined) details.expected = fact.expected;
  if (fact.found !== undefined) details.found = fact.found;
  return new VhdvaultError(code, `${where.path}: ${fact.what} (at byte ${offset})`, { hint: fact.hint, details });
}

/** Four bytes as text; control characters as they are. */
export function asciiAt(view: DataView, offset: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(view.getUint8(offset + i));
  return text;
}

export function setAscii(view: DataView, offset: number, text: string, length: number): void {
  for (let i = 0; i < length; i++) view.setUint8(offset + i, i < text.length ? text.charCodeAt(i) & 0xff : 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
