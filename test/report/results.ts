import type { BackupResult } from '../../src/jobs/backup-types.ts';
import type { PointSummary, ShowResult } from '../../src/jobs/point-types.ts';
import type { RestoreResult } from '../../src/jobs/restore-types.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import type { Look } from '../../src/report/look.ts';

/** Results that no run has made, for the exact text of reports. Times are UTC; the tests set the local zone. */
export const plain: Look = { color: false, now: Date.parse('2026-11-22T18:00:00Z') };
export const colored: Look = { ...plain, color: true };

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const osBytes = { read: 9.125 * GIB, changed: 212 * MIB, stored: 74 * MIB };
const dataBytes = { read: 500 * GIB, changed: 1.3 * GIB, stored: 402 * MIB };

export const backupResult: BackupResult = {
  item: 'web01',
  point: 'p9c1fa2b300112233',
  type: 'incremental',
  base: { point: 'p7e2d90aa55667788', time: '2026-11-22T09:00:00Z' },
  reason: 'compared with the checksum table',
  consistency: 'crash',
  started: '2026-11-22T17:50:00Z',
  finished: '2026-11-22T17:54:12Z',
  seconds: 252,
  disks: [
    {
      name: 'os',
      format: 'vhd-dynamic',
      virtualSize: 40 * GIB,
      blockSize: 131072,
      blocks: { total: 327680, read: 74752, changed: 1696, stored: 1500 },
      bytes: osBytes,
      root: 'aa',
      skipped: { blocks: 0, bytes: 0, audited: 0 },
      strip: Array.from({ length: 64 }, (_, slice) => (slice === 4 || slice === 5 ? 1 : slice === 20 ? 0.001 : 0)),
    },
    {
      name: 'data',
      format: 'vhd-fixed',
      virtualSize: 500 * GIB,
      blockSize: 131072,
      blocks: { total: 4096000, read: 4096000, changed: 10650, stored: 9000 },
      bytes: dataBytes,
      root: 'bb',
      skipped: { blocks: 0, bytes: 0, audited: 0 },
      strip: new Array(64).fill(0),
    },
  ],
  bytes: { read: 509.125 * GIB, changed: 1.5 * GIB, stored: 476 * MIB },
  warnings: [],
  notices: [],
  healed: 0,
  dryRun: false,
  resumed: null,
  hooks: [],
};

export const pointSummary: PointSummary = {
  item: 'web01',
  point: 'p7e2d90aa55667788',
  time: '2026-11-22T09:00:00Z',
  type: 'full',
  base: null,
  consistency: 'crash',
  tier: 'vault',
  expires: null,
  forgotten: null,
  pinned: null,
  protectedUntil: null,
  disks: [
    { name: 'os', virtualSize: 40 * GIB, root: 'aa' },
    { name: 'data', virtualSize: 500 * GIB, root: 'bb' },
  ],
  bytes: { read: 509 * GIB, changed: 300 * GIB, stored: 120 * GIB },
  tags: [],
  note: '',
};

const osDisk: ShowResult['point']['disks'][number] = {
  name: 'os',
  virtualSize: 40 * GIB,
  root: 'aa',
  source: {
    parentRoots: [],
    address: '/images/os.vhd',
    format: 'vhd-dynamic',
    blockSize: 2 * MIB,
    uniqueId: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
    creator: 'win ',
  },
  blockSize: 131072,
  fingerprint: 'ffee',
  bytes: osBytes,
};

export const showResult: ShowResult = {
  point: {
    ...pointSummary,
    sequence: 3,
    bootDisk: 'os',
    tool: 'vhdvault 0.1.0',
    reason: 'the first point of the item',
    tags: ['weekly', 'keep'],
    hooks: { outcome: 'none', output: '' },
    unique: { bytes: 74 * MIB, blocks: 1500, pages: 1 },
    shared: { bytes: 119 * GIB, blocks: 1400000, pages: 5470 },
    started: '2026-11-22T08:55:00Z',
    seconds: 300,
    disks: [osDisk],
  },
  warnings: [],
};

export const restoreResult: RestoreResult = {
  item: 'web01',
  point: 'p7e2d90aa55667788',
  disks: [
    {
      name: 'os',
      path: '/restored/os.vhd',
      format: 'vhd-dynamic',
      virtualSize: 40 * GIB,
      bytes: { read: 10 * GIB, written: 10 * GIB, skipped: 30 * GIB },
      lost: [],
      lostBytes: 0,
    },
  ],
  seconds: 10,
  dryRun: false,
  warnings: [],
};

export const damagedResult: VerifyResult = {
  ok: false,
  checked: { entries: 4, points: 3, packs: 7, segments: 1, blocks: 2048, bytes: 256 * MIB },
  findings: [
    {
      severity: 'info',
      code: 'LEFTOVER',
      what: 'a staging location of a dead job',
      where: 'AzureBackup-12',
      cure: '',
      ...{ points: [], forgotten: [], ranges: [], moreRanges: 0 },
    },
    {
      severity: 'damage',
      code: 'PACK_HASH',
      what: 'a pack does not match its name',
      where: 'packs/ab/abcd',
      cure: 'vhdvault backup web01 heals it',
      points: ['web01@p7e2d90aa55667788', 'web01@p9c1fa2b300112233'],
      ranges: [
        { point: 'web01@p7e2d90aa55667788', disk: 'os', offset: 0, length: 131072 },
        { point: 'web01@p9c1fa2b300112233', disk: 'data', offset: 1.5 * GIB, length: 3 * MIB },
      ],
      moreRanges: 0,
      forgotten: [],
    },
  ],
  seconds: 3.14,
};
