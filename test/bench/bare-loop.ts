/**
 * `node test/bench/bare-loop.ts IMAGE [--codec lz4|zstd] [--threads 2] [--out FOLDER]`: the steps that a first backup cannot do
 * without, and nothing else: two threads read the stored bytes of an image from the page cache, leave zeros out, hash,
 * compress, read back, encrypt, hash what is written, write it and make it durable. No map, no index, no log, no look-up.
 * Prints the seconds from before the threads start until all is durable, and the milliseconds of each step, of all threads.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { BareInput, BareResult } from './bare-loop-worker.ts';
import { barePieces } from './bare-pieces.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    codec: { type: 'string', default: 'lz4' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string', default: tmpdir() },
  },
});
const [image] = positionals;
if (image === undefined) throw new Error('name an image');
if (values.codec !== 'lz4' && values.codec !== 'zstd')
  throw new Error(`--codec ${values.codec} is neither lz4 nor zstd`);
const { codec } = values;

await using out = await mkdtempDisposable(join(values.out, 'bare-loop-'));
const pieces = await barePieces(image);
const next = new Int32Array(new SharedArrayBuffer(4));
const started = performance.now();
const results = await Promise.all(
  Array.from({ length: Number(values.threads) }, (_, n) =>
    share({ image, pieces, next, codec, file: join(out.path, String(n)) }),
  ),
);
const seconds = (performance.now() - started) / 1000;
const stored = results.reduce((sum, one) => sum + one.stored, 0);
console.log(`${seconds.toFixed(3)} s, ${codec}, ${(stored / 1e6).toFixed(1)} MB stored`);
const steps = Object.keys(results[0]?.steps ?? {});
const sum = (step: string): number => results.reduce((all, one) => all + (one.steps[step] ?? 0), 0);
console.log(steps.map((step) => `${step} ${sum(step).toFixed(0)}`).join(', '));

function share(workerData: BareInput): Promise<BareResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./bare-loop-worker.ts', import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
