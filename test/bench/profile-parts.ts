import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a program does with its time. */
export const PARTS: readonly string[] = [
  ...['reading', 'zero test', 'id (hash)', 'look-up, maps', 'compress', 'read-back, decompress', 'encrypt, decrypt'],
  ...['hash of pack', 'write', 'let go and GC', 'start-up', 'waiting', 'outside JavaScript', 'other'],
];

/** Microseconds by part, of the main thread and of all workers together. */
export interface Profiled {
  main: Map<string, number>;
  workers: Map<string, number>;
  /** Functions that took the most of `other`, with milliseconds. */
  unmapped: string[];
}

/** What V8 writes: a tree of calls, and which node was running at each sample. */
interface Profile {
  nodes: { id: number; callFrame: Frame; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

interface Frame {
  functionName: string;
  url: string;
}

/** By names of functions, ours and Node's. Of a stack the innermost that is known decides. */
const NAMES: Record<string, readonly string[]> = {
  reading: [
    'read',
    'readSync',
    'readRange',
    'readPieces',
    '#read',
    '#readRuns',
    'locate',
    'extentsOf',
    '#runs',
    'openDisk',
  ],
  'zero test': ['isZero', 'equals'],
  'id (hash)': ['hash', 'nativeBlake3', 'createBlake3', 'digest'],
  'look-up, maps': [
    ...[
      '#typed',
      '#locked',
      'find',
      'lookUp',
      'lookUpAll',
      'mayHoldId',
      'addId',
      'recordPack',
      'rowOf',
      'rows',
      'entries',
    ],
    ...[
      '#packName',
      '#locationOf',
      'readData',
      '#idsOf',
      '#fetch',
      '#page',
      '#eachBlock',
      '#basePage',
      'isZeroId',
      'isZeroPage',
    ],
    ...['equalBytes', 'claim', 'release', 'get', 'LocationTable', 'writeSegments', 'pagesOf'],
  ],
  compress: ['compress', 'compressSync', 'zstdCompressSync'],
  'read-back, decompress': ['checkReadBack', 'decompress', 'decode', 'uncompressSync', 'zstdDecompressSync'],
  'encrypt, decrypt': ['seal', 'unseal', 'sealFrame', 'unsealFrame', 'openFrame', 'contentOf'],
  'hash of pack': ['#flush', 'hashObject'],
  write: [
    'write',
    'writev',
    'writeBuffer',
    'writeBuffers',
    'writeFully',
    '#put',
    '#write',
    'appendPayload',
    'sync',
    'fsync',
  ],
  'let go and GC': ['died', '(garbage collector)'],
  'start-up': [
    ...[
      'compileForInternalLoader',
      'requireBuiltin',
      'internalBinding',
      'dlopen',
      'wrapSafe',
      'argon2',
      'unlock',
      'main',
    ],
    ...['startThreads', 'readFileUtf8', 'openVault', 'parseArguments', 'start'],
  ],
  waiting: ['(idle)'],
  'outside JavaScript': ['(program)'],
};
const PART_OF = new Map(Object.entries(NAMES).flatMap(([part, names]) => names.map((name) => [name, part] as const)));
const STARTING = /^node:internal\/(modules|bootstrap|main|process|per_context)\b/;
const TOLD = 3;

/** All profiles of one run: the file's name tells the thread, 0 is the main one. */
export async function readProfiles(folder: string): Promise<Profiled> {
  const [main, workers, unknown] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  for (const name of await readdir(folder)) {
    const isMain = name.split('.')[4] === '0';
    addTimes(JSON.parse(await readFile(join(folder, name), 'utf8')) as Profile, isMain ? main : workers, unknown);
  }
  const most = [...unknown].sort(([, a], [, b]) => b - a).slice(0, TOLD);
  return { main, workers, unmapped: most.map(([name, time]) => `${name} ${Math.round(time / 1000)} ms`) };
}

function addTimes(profile: Profile, parts: Map<string, number>, unknown: Map<string, number>): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callers = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  for (const [n, id] of profile.samples.entries()) {
    const time = profile.timeDeltas[n] as number;
    const stack: Frame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
      stack.push((nodes.get(at) as Profile['nodes'][number]).callFrame);
    }
    const part = partOf(stack);
    add(parts, part, time);
    if (part === 'other')
      add(unknown, stack.find(({ functionName }) => functionName !== '')?.functionName ?? '?', time);
  }
}

/** `stack` from the innermost. A bundle adds `$1` to the second of two equal names. */
function partOf(stack: readonly Frame[]): string {
  for (const { functionName, url } of stack) {
    const part = PART_OF.get(functionName.replace(/\$\d+$/, ''));
    if (part !== undefined) return part;
    if (STARTING.test(url)) return 'start-up';
  }
  return 'other';
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
