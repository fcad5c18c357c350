import { type Task, workerFile } from '../pool/pool.ts';
import type { StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { checkPacks } from './check-packs.ts';

export const NEXT = 0;
export const STOP = 1;

export interface CheckPacksInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  blockSize: number;
  packs: { name: string; size: number }[];
  /** control: next pack, stop flag; counters: bytes read, per worker. */
  memory: { control: Int32Array; counters: Float64Array };
}

/** What is wrong with a pack; the ids (hex) that cannot be read from it. */
export interface PackProblem {
  pack: string;
  what: string;
  badIds: string[] | 'all';
}

export const checkPacksTask: Task<CheckPacksInput, PackProblem[]> = {
  name: 'check-packs',
  file: workerFile('check-packs', import.meta.url),
  run: checkPacks,
};
