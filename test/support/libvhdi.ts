import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Debian's, which has the module of its package; the first python of the PATH may be another. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'read-by-libvhdi.py');

export interface LibvhdiJob {
  /** The image, then its parents. */
  chain: readonly string[];
  /** Offset and length of each read. */
  reads: readonly (readonly [number, number])[];
}

export interface LibvhdiAnswer {
  size: number;
  reads: Buffer[];
}

export function hasLibvhdi(): boolean {
  return spawnSync(PYTHON, ['-c', 'import pyvhdi'], { stdio: 'ignore' }).status === 0;
}

/** Reads many images in one run. @throws what libvhdi says of one that it cannot read */
export function readByLibvhdi(jobs: readonly LibvhdiJob[]): LibvhdiAnswer[] {
  const input = JSON.stringify(jobs);
  const output = execFileSync(PYTHON, [SCRIPT], { input, encoding: 'utf8', maxBuffer: 2 ** 30 });
  const answers = JSON.parse(output) as ({ error: string } | { size: number; reads: string[] })[];
  return answers.map((answer, i) => {
    if ('error' in answer) throw new Error(`libvhdi, of ${jobs[i]!.chain[0]}: ${answer.error}`);
    return { size: answer.size, reads: answer.reads.map((text) => Buffer.from(text, 'base64')) };
  });
}
