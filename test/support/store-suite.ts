import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/vault/store/store.ts';

const bytes = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);

async function put(store: Store, path: string, content: Uint8Array): Promise<void> {
  await using file = await store.create(path);
  await file.write([content]);
  await file.sync();
}

/** What every store must do; run on each implementation. */
export function storeSuite(title: string, open: () => Promise<Store>): void {
  describe(`${title} as a store`, () => {
    it('gives back what was written, whole, in parts and by size', async () => {
      const store = await open();
      await store.makeFolder('a/b');
      {
        await using file = await store.create('a/b/c');
        await file.write([bytes(1, 2), bytes(3)]);
        await file.write([bytes(), bytes(4, 5)]);
        await file.sync();
      }
      expect([...(await store.get('a/b/c'))]).toEqual([1, 2, 3, 4, 5]);
      expect(await store.size('a/b/c')).toBe(5);
      await using reader = await store.open('a/b/c');
      expect(reader.size).toBe(5);
      const part = new Uint8Array(3);
      await reader.read(1, part);
      expect([...part]).toEqual([2, 3, 4]);
      await expect(reader.read(3, part)).rejects.toMatchObject({ code: 'IO' });
    });

    it('tells what is absent apart from what cannot be read', async () => {
      const store = await open();
      for (const path of ['nothing', 'no/such/folder']) {
        expect(await store.size(path)).toBeUndefined();
        await expect(store.get(path)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(store.open(path)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(await store.list(path)).toEqual([]);
        await store.remove(path);
        await store.removeFolder(path);
      }
    });

    it('creates an object only if it is absent', async () => {
      const store = await open();
      await put(store, 'once', bytes(1));
      await expect(store.create('once')).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
      expect([...(await store.get('once'))]).toEqual([1]);
    });

    it('links to a free name only, and never touches a taken one', async () => {
      const store = await open();
      await put(store, 'first', bytes(1));
      await put(store, 'second', bytes(2));
      expect(await store.link('first', 'name')).toBe('linked');
      expect(await store.link('second', 'name')).toBe('exists');
      expect([...(await store.get('name'))]).toEqual([1]);
      await store.remove('first');
      expect([...(await store.get('name'))]).toEqual([1]);
      await expect(store.link('gone', 'other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('lets exactly one of many link to a name', async () => {
      const store = await open();
      const racers = Array.from({ length: 16 }, (_, n) => `racer${n}`);
      for (const [n, racer] of racers.entries()) await put(store, racer, bytes(n));
      const outcomes = await Promise.all(racers.map((racer) => store.link(racer, 'won')));
      expect(outcomes.filter((outcome) => outcome === 'linked')).toHaveLength(1);
      expect((await store.get('won'))[0]).toBe(outcomes.indexOf('linked'));
    });

    it('renames files and folders, over what was there', async () => {
      const store = await open();
      await store.makeFolder('from/deep');
      await store.makeFolder('to');
      await put(store, 'from/deep/file', bytes(7));
      await put(store, 'to/file', bytes(8));
      await store.rename('from/deep/file', 'to/file');
      expect([...(await store.get('to/file'))]).toEqual([7]);
      expect(await store.size('from/deep/file')).toBeUndefined();
      await store.rename('to', 'moved');
      expect([...(await store.get('moved/file'))]).toEqual([7]);
      expect(await store.list('to')).toEqual([]);
      await expect(store.rename('gone', 'there')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('lists names in order, one level deep, and removes folders whole', async () => {
      const store = await open();
      for (const folder of ['f', 'f/g', 'f2']) await store.makeFolder(folder);
      for (const path of ['f/b', 'f/a', 'f/g/x', 'f2/y']) await put(store, path, bytes(1));
      expect(await store.list('f')).toEqual(['a', 'b', 'g']);
      await store.removeFolder('f');
      expect(await store.list('f')).toEqual([]);
      expect(await store.list('f2')).toEqual(['y']);
      await store.syncFolder('f2');
    });

    it('hands out bytes that the reader may change', async () => {
      const store = await open();
      await put(store, 'file', bytes(1, 2, 3));
      (await store.get('file')).fill(9);
      expect([...(await store.get('file'))]).toEqual([1, 2, 3]);
    });

    it('writes many megabytes in one go', async () => {
      const store = await open();
      const large = Buffer.alloc(5_000_001, 'abc');
      await put(store, 'large', large);
      expect(Buffer.compare(await store.get('large'), large)).toBe(0);
    });
  });
}
