/** The library: `import ... from 'vhdvault'`. */
export * from './image/vhd-parser.ts';
export { type BackupOptions, backup } from './jobs/backup-job.ts';
export { items, points, show } from './jobs/points.ts';
export { restore } from './jobs/restore-job.ts';
export { createVault, openVault, type SessionOptions, type VaultSession } from './jobs/session.ts';
export type * from './jobs/types.ts';
export { verify } from './jobs/verify-job.ts';
