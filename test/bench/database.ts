import { DatabaseSync } from 'node:sqlite';
import { logText, noise } from '../../fixtures/noise.ts';

/** Bytes that a row takes. */
const ROW = 480;
const NOTE = 400;

/** A SQLite database of about `bytes`: orders with a note that compresses and a token that does not. The same every time. */
export function makeDatabase(path: string, bytes: number): void {
  using database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = OFF');
  database.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, state INTEGER, note TEXT, token BLOB)');
  const insert = database.prepare('INSERT INTO orders (state, note, token) VALUES (?, ?, ?)');
  const rows = Math.floor(bytes / ROW);
  const text = logText(7, 1 << 20);
  const tokens = noise(8, rows * 32);
  database.exec('BEGIN');
  for (let n = 0; n < rows; n++) {
    insert.run(n % 7, noteOf(text, n), tokens.subarray(n * 32, n * 32 + 32));
  }
  database.exec('COMMIT');
}

/** Changes single rows all over the table, in place; others for another seed. */
export function updateRows(path: string, { seed, rows }: { seed: number; rows: number }): void {
  using database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = OFF');
  const { count } = database.prepare('SELECT count(*) AS count FROM orders').get() as { count: number };
  const update = database.prepare('UPDATE orders SET state = 9, note = ?, token = ? WHERE id = ?');
  const text = logText(100 + seed, 1 << 20);
  const random = noise(200 + seed, rows * 36);
  database.exec('BEGIN');
  for (let n = 0; n < rows; n++) {
    const id = 1 + (random.readUInt32LE(n * 36) % count);
    update.run(noteOf(text, n), random.subarray(n * 36 + 4, n * 36 + 36), id);
  }
  database.exec('COMMIT');
}

/** Always of one length, so that a row stays where it is. */
function noteOf(text: string, n: number): string {
  const start = (n * 131) % (text.length - NOTE);
  return text.slice(start, start + NOTE);
}
