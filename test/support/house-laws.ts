import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';

/** A source file, its path relative to the project, with `/`. */
export interface SourceFile {
  path: string;
  text: string;
}

export interface Violation {
  file: string;
  line: number;
  law: string;
}

const BELOW_VERBS = 'base io pool disk image vault point cache policy staging replica'.split(' ');
const VERBS = 'backup restore merge prune verify repair export nbd'.split(' ');

/** Law 1: which rooms a room may import. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  io: ['base'],
  pool: ['base'],
  disk: ['base'],
  image: ['base', 'io', 'disk'],
  azure: ['base', 'io'],
  vault: ['base', 'io'],
  point: ['base', 'disk', 'vault'],
  cache: ['base', 'io', 'disk', 'vault'],
  policy: ['base'],
  staging: ['base', 'io', 'vault'],
  replica: ['base', 'io', 'disk', 'image'],
  ...Object.fromEntries(VERBS.map((verb) => [verb, BELOW_VERBS])),
  jobs: [...BELOW_VERBS, ...VERBS, 'azure'],
};
const MOST_WORKER_LINES = 30;

export function readSources(root: string): SourceFile[] {
  return ['src', 'workers'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path: relative(root, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') })),
  );
}

/** Everything that breaks a law of the house, with the law in words. */
export function brokenLaws(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => [...importLaws(file), ...wordLaws(file), ...workerLaws(file)]);
}

function importLaws(file: SourceFile): Violation[] {
  const room = roomOf(file.path);
  return importsOf(file.text).flatMap(({ line, specifier, typeOnly }) => {
    const told = (law: string): Violation[] => [{ file: file.path, line, law: `${law} (${specifier})` }];
    if (!specifier.startsWith('.')) return foreignLaw(room, specifier, told);
    const target = posix.join(posix.dirname(file.path), specifier);
    const entered = roomOf(target);
    if (entered === room || entered === '') return [];
    const broken = roomLaw(room, entered, typeOnly);
    if (broken !== undefined) return told(broken);
    if (target.split('/').length > 3) return told('another room is entered only through a file directly in it');
    return [];
  });
}

function roomLaw(room: string, entered: string, typeOnly: boolean): string | undefined {
  if (room === 'vault' && ['disk', 'image'].includes(entered)) return `vault never sees ${entered}`;
  if (room === 'image' && entered === 'vault') return 'image never sees vault';
  if (room === 'cli' || room === '') return undefined;
  if (room === 'workers') return ['cli', 'report'].includes(entered) ? `workers never import ${entered}` : undefined;
  if (room === 'report') {
    if (entered === 'base' || (entered === 'jobs' && typeOnly)) return undefined;
    return 'report imports base, and of jobs only types';
  }
  const allowed = ROOMS[room];
  if (!allowed) return `${room} is no room of this house: give it a place in DESIGN and in this list`;
  if (allowed.includes(entered)) return undefined;
  return `${room} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other room'}, not ${entered}`;
}

/** The parser stands alone: its rooms need nothing but Node. */
function foreignLaw(room: string, specifier: string, told: (law: string) => Violation[]): Violation[] {
  const alone = ['base', 'io', 'disk', 'image'].includes(room);
  return alone && !specifier.startsWith('node:') ? told(`${room} is part of vhd-parser, which needs no package`) : [];
}

function wordLaws({ path, text }: SourceFile): Violation[] {
  const room = roomOf(path);
  const words: [RegExp, string, boolean][] = [
    [/\bprocess\s*\.\s*exit\s*\(/, 'process.exit is called nowhere: set process.exitCode in main', true],
    [/\bDate\s*\.\s*now\b/, 'time comes from base/clock', !['base', 'cli', 'report'].includes(room)],
    [/\bMath\s*\.\s*random\b/, 'randomness comes from base/random', room !== 'base'],
  ];
  return withoutComments(text)
    .split('\n')
    .flatMap((line, n) =>
      words.filter(([word, , holds]) => holds && word.test(line)).map(([, law]) => ({ file: path, line: n + 1, law })),
    );
}

function workerLaws({ path, text }: SourceFile): Violation[] {
  const lines = text.trimEnd().split('\n').length;
  if (roomOf(path) !== 'workers' || lines <= MOST_WORKER_LINES) return [];
  return [{ file: path, line: lines, law: `a worker file has at most ${MOST_WORKER_LINES} lines` }];
}

/** `src/vault/log/log.ts` -> vault; files directly in src/ have no room and may import anything. */
function roomOf(path: string): string {
  const [top, room] = path.split('/');
  if (top === 'workers') return 'workers';
  return top === 'src' && path.split('/').length > 2 ? (room as string) : '';
}

interface Import {
  line: number;
  specifier: string;
  typeOnly: boolean;
}

/** Static imports and re-exports, also over several lines, and dynamic ones. */
function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const pattern =
    /^[ \t]*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
  return [...code.matchAll(pattern)].map((found) => ({
    line: code.slice(0, found.index + found[0].length).split('\n').length,
    specifier: (found[2] ?? found[3]) as string,
    typeOnly: found[1] !== undefined,
  }));
}

/** Blanks comments, keeping the lines. Strings with `//` in them lose their end, which no law looks at. */
function withoutComments(text: string): string {
  const blank = (found: string): string => found.replace(/[^\n]/g, ' ');
  return text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(^|[^:'"`/])\/\/.*$/gm, (found) => blank(found));
}
