import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { isError, VhdvaultError } from '../base/errors.ts';
import { asBuffer, fromHex, toHex } from '../base/hex.ts';
import type { BlockLocation } from '../vault/block-index.ts';

/*
 * id -> location in SQLite, for the index cache and for the overlay of a running job. Each row carries a CRC-32 over id
 * and location, so that a flipped bit is a miss and not a wrong answer.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS packs (n INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, frames INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS blocks (id BLOB NOT NULL, pack INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
    frame INTEGER NOT NULL, codec INTEGER NOT NULL, kind INTEGER NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (id, pack)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);`;

/** Ids in one statement. */
const TOGETHER = 16;

const SQLITE_FULL = 13;
const BUSY_WAIT = 20_000;

export interface PackRow {
  n: number;
  name: string;
  size: number;
  frames: number;
}

export interface BlockRow {
  id: Uint8Array;
  pack: number;
  offset: number;
  storedLength: number;
  ordinal: number;
  codec: number;
  kind: number;
}

type SqlRow = {
  id: Uint8Array;
  pack: number;
  start: number;
  length: number;
  frame: number;
  codec: number;
  kind: number;
  crc: number;
};

/** One open database of locations. Synchronous: a look-up takes 3 to 4 microseconds, beside a writer five times as long. */
export class LocationTable implements Disposable {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #names = new Map<number, string>();
  #find: StatementSync | undefined;
  #findSome: StatementSync | undefined;

  /** @throws IO, NO_SPACE with `details.sqlite`, as all methods do */
  constructor(path: string, options: { readOnly?: boolean; durable?: boolean } = {}) {
    this.#path = path;
    this.#db = this.#typed(() => new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: BUSY_WAIT }));
    // 512 KiB of pages: every worker has such a connection, and the file lies in the page cache anyway.
    try {
      this.#exec('PRAGMA cache_size = -512');
      if (options.readOnly) return;
      this.#exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${options.durable ? 'NORMAL' : 'OFF'};`);
      this.#exec(SCHEMA);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** A place of the block; a row that does not bear its check is passed over. */
  find(id: Uint8Array): BlockLocation | undefined {
    return this.findAll(id)[0];
  }

  /** As `find` for each; the ids of one call share statements, each of which costs a read transaction. */
  findMany(ids: readonly Uint8Array[]): (BlockLocation | undefined)[] {
    if (ids.length === 1) return [this.find(ids[0] as Uint8Array)];
    return this.#typed(() => {
      this.#findSome ??= this.#db.prepare(`SELECT * FROM blocks WHERE id IN (${Array(TOGETHER).fill('?').join()})`);
      const found = new Map<string, BlockLocation>();
      for (let n = 0; n < ids.length; n += TOGETHER) {
        const some = ids.slice(n, n + TOGETHER);
        while (some.length < TOGETHER) some.push(some[0] as Uint8Array);
        for (const row of this.#findSome.all(...some) as unknown as SqlRow[]) {
          const location = row.crc === check(rowOf(row)) ? this.#locationOf(row) : undefined;
          if (location && !found.has(keyOf(row.id))) found.set(keyOf(row.id), location);
        }
      }
      return ids.map((id) => found.get(keyOf(id)));
    });
  }

  /** All places of the block: two runs at once may store it twice. */
  findAll(id: Uint8Array): BlockLocation[] {
    return this.#typed(() => {
      this.#find ??= this.#db.prepare('SELECT * FROM blocks WHERE id = ?');
      const rows = (this.#find.all(id) as unknown as SqlRow[]).filter((row) => row.crc === check(rowOf(row)));
      return rows.flatMap((row) => this.#locationOf(row) ?? []);
    });
  }

  /** Everything or nothing of it. */
  transaction(change: () => void): void {
    this.#exec('BEGIN IMMEDIATE');
    try {
      change();
      this.#exec('COMMIT');
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  /** The same for a change that takes its time. One at a time for each open table. */
  async longTransaction(change: () => Promise<void>): Promise<void> {
    this.#exec('BEGIN IMMEDIATE');
    try {
      await change();
      this.#exec('COMMIT');
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  /** Ordinal of the pack in this database. */
  addPack(pack: { name: string; size: number; frames: number }): number {
    const name = fromHex(pack.name);
    return this.#typed(() => {
      this.#db
        .prepare('INSERT OR IGNORE INTO packs (name, size, frames) VALUES (?, ?, ?)')
        .run(name, pack.size, pack.frames);
      return (this.#db.prepare('SELECT n FROM packs WHERE name = ?').get(name) as { n: number }).n;
    });
  }

  addBlocks(rows: Iterable<BlockRow>): void {
    this.#typed(() => {
      const insert = this.#db.prepare('INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
      for (const row of rows) {
        insert.run(row.id, row.pack, row.offset, row.storedLength, row.ordinal, row.codec, row.kind, check(row));
      }
    });
  }

  /** Removes packs with all their blocks; within a transaction. */
  removePacks(packs: readonly Pick<PackRow, 'n'>[]): void {
    if (packs.length === 0) return;
    this.#typed(() => {
      const remove = this.#db.prepare('DELETE FROM packs WHERE n = ?');
      for (const { n } of packs) remove.run(n);
      this.#db.exec('DELETE FROM blocks WHERE pack NOT IN (SELECT n FROM packs)');
    });
    this.#names.clear();
  }

  packs(): PackRow[] {
    const rows = this.#typed(() => this.#db.prepare('SELECT n, name, size, frames FROM packs ORDER BY n').all());
    return (rows as { n: number; name: Uint8Array; size: number; frames: number }[]).map((row) => ({
      ...row,
      name: toHex(this.#bytes(row.name)),
    }));
  }

  /** All rows in order of their ids. @throws IO when a row does not bear its check */
  *rows(): Generator<BlockRow> {
    for (const found of this.#db.prepare('SELECT * FROM blocks ORDER BY id, pack').iterate()) {
      const row = found as unknown as SqlRow;
      this.#bytes(row.id);
      if (row.crc !== check(rowOf(row))) throw this.#damaged('holds a row that does not bear its check');
      yield rowOf(row);
    }
  }

  /** How many blocks lie in each pack, by its ordinal. */
  blocksPerPack(): Map<number, number> {
    const rows = this.#typed(() => this.#db.prepare('SELECT pack, COUNT(*) AS count FROM blocks GROUP BY pack').all());
    return new Map((rows as { pack: number; count: number }[]).map(({ pack, count }) => [pack, count]));
  }

  /** Makes `rowsOf` fast. */
  indexByPack(): void {
    this.#exec('CREATE INDEX IF NOT EXISTS by_pack ON blocks (pack)');
  }

  /** The rows of one pack. */
  rowsOf(pack: string): BlockRow[] {
    const sql = 'SELECT * FROM blocks WHERE pack = (SELECT n FROM packs WHERE name = ?)';
    return this.#typed(() => (this.#db.prepare(sql).all(fromHex(pack)) as unknown as SqlRow[]).map(rowOf));
  }

  fact(name: string): string | undefined {
    const row = this.#typed(() => this.#db.prepare('SELECT value FROM facts WHERE name = ?').get(name));
    return (row as { value: string } | undefined)?.value;
  }

  setFact(name: string, value: string): void {
    this.#typed(() => this.#db.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)').run(name, value));
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #locationOf(row: SqlRow): BlockLocation | undefined {
    const pack = this.#packName(row.pack);
    if (pack === undefined) return undefined;
    const { start: offset, length: storedLength, frame: ordinal, codec, kind } = row;
    return { pack, offset, storedLength, ordinal, codec, kind };
  }

  #packName(n: number): string | undefined {
    const known = this.#names.get(n);
    if (known !== undefined) return known;
    const row = this.#db.prepare('SELECT name FROM packs WHERE n = ?').get(n) as { name: Uint8Array } | undefined;
    if (row) this.#names.set(n, toHex(this.#bytes(row.name)));
    return this.#names.get(n);
  }

  /** Names and ids are 32 bytes; of a damaged database they may be anything. */
  #bytes(found: Uint8Array): Uint8Array {
    if (found instanceof Uint8Array && found.byteLength === 32) return found;
    throw this.#damaged('holds a name or an id that is none');
  }

  #exec(sql: string): void {
    this.#typed(() => this.#db.exec(sql));
  }

  /** On a full disk SQLite has rolled back by itself. */
  #rollback(): void {
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // The cause is what matters.
    }
  }

  #typed<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const { code, errcode } = error as { code?: string; errcode?: number };
      if (code !== 'ERR_SQLITE_ERROR' && code !== 'ERR_INVALID_STATE') throw error;
      if (errcode !== SQLITE_FULL) throw this.#damaged((error as Error).message, errcode ?? -1);
      throw new VhdvaultError('NO_SPACE', `no space left for ${this.#path}`, {
        hint: 'free some space in the cache folder, or name another one with --cache; nothing that was saved before is lost',
        details: { path: this.#path, sqlite: SQLITE_FULL },
        cause: error,
      });
    }
  }

  #damaged(what: string, sqlite = -1): VhdvaultError {
    return new VhdvaultError('IO', `${this.#path}: ${what}`, {
      hint: 'it is a cache: remove it and run the command again, nothing is lost',
      details: { path: this.#path, sqlite },
    });
  }
}

/** The database is another run's for longer than BUSY_WAIT. */
export function isBusy(error: unknown): boolean {
  return isError(error, 'IO') && [5, 261, 517].includes(error.details.sqlite as number);
}

/** Something is wrong with the database, not with the vault. */
export function isTableFault(error: unknown): boolean {
  return isError(error, 'IO', 'NO_SPACE') && error.details.sqlite !== undefined;
}

function rowOf(row: SqlRow): BlockRow {
  const { id, pack, start, length, frame, codec, kind } = row;
  return { id, pack, offset: start, storedLength: length, ordinal: frame, codec, kind };
}

function keyOf(id: Uint8Array): string {
  return asBuffer(id).toString('latin1');
}

function check({ id, pack, offset, storedLength, ordinal, codec, kind }: BlockRow): number {
  return crc32(`${pack} ${offset} ${storedLength} ${ordinal} ${codec} ${kind}`, crc32(id));
}
