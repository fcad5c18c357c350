import { type AnyFinding, findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { sizeText } from './quantity.ts';
import { tableLines } from './table.ts';

/** Byte counts from here on are told with a unit, too. */
const WORTH_A_UNIT = 1024;

/**
 * Facts of an image under the names that they have in the result, which are the specification's: the image, then its
 * parents down to the base. What an image does not have (null) is left out.
 */
export function factsText(facts: object, look: Look, findings: readonly AnyFinding[] = []): string {
  const chain = chainOf(facts as Facts);
  const images = chain.flatMap((image, index) => {
    const title = index === 0 ? String(image.path) : `parent ${index} of ${chain.length - 1}: ${String(image.path)}`;
    return [paint(look, 'bold', oneLine(title)), ...imageLines(image)];
  });
  return [...images, ...findingLines(look, findings)].join('\n');
}

type Facts = Readonly<Record<string, unknown>> & { parent?: Facts | null };

function chainOf(facts: Facts): Facts[] {
  return [facts, ...(facts.parent ? chainOf(facts.parent) : [])];
}

function imageLines(image: Facts): string[] {
  const rows: string[][] = [];
  for (const [name, value] of Object.entries(image)) {
    if (value === null || value === undefined || name === 'parent' || name === 'path') continue;
    if (!Array.isArray(value)) rows.push([name, valueText(name, value)]);
    else rows.push(...value.map((member, index) => [index === 0 ? name : '', valueText(name, member)]));
  }
  return tableLines(rows, { indent: 2 });
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'number' && /size$/i.test(name) && value >= WORTH_A_UNIT) return `${value} (${sizeText(value)})`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([part, inner]) => `${part} ${valueText(part, inner)}`)
    .join(', ');
}
