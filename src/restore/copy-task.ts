import type { IndexAddress } from '../cache/index-cache.ts';
import type { ImagePlan } from '../image/image-plan.ts';
import type { PointDiskFacts } from '../point/point-disk.ts';
import { type Task, workerFile } from '../pool/pool.ts';
import type { StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { copy } from './copy.ts';
import type { CopyMemory } from './copy-memory.ts';

/** What one worker of a restore needs to know. */
export interface CopyInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  index: IndexAddress;
  disk: PointDiskFacts;
  /** The image to write into: its file exists already. */
  path: string;
  plan: ImagePlan;
  /** Write zeros too: onto a device, or to take the space. */
  writeZeros: boolean;
  memory: CopyMemory;
}

export const copyTask: Task<CopyInput, void> = { name: 'copy', file: workerFile('copy', import.meta.url), run: copy };
