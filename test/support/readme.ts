import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The JavaScript of a section of the README, as it stands there: one text per block of code. */
export async function readmeExamples(section: string): Promise<string[]> {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const start = readme.indexOf(`## ${section}\n`);
  const end = readme.indexOf('\n## ', start);
  if (start < 0 || end < 0) throw new Error(`the README has no section "${section}" with another one behind it`);
  return [...readme.slice(start, end).matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code as string);
}

/** An example with its paths in another folder; everything else stays. */
export function movedInto(folder: string, example: string): string {
  return example.replace(/(['=])(\/(?:srv|snapshots|restored|images)\/)/g, (_, before, root) => before + folder + root);
}
