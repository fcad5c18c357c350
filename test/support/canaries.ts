import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../../src/vault/open-store.ts';

/** Something that must nowhere be seen, in every form in which it could be. */
export interface Canary {
  what: string;
  forms: Buffer[];
}

/** A text as bytes, UTF-16 of both orders, hex, and base64 at each of its three alignments, without the ends that depend on what stands beside. */
export function textCanary(what: string, text: string): Canary {
  const utf8 = Buffer.from(text);
  const utf16 = Buffer.from(text, 'utf16le');
  return {
    what,
    forms: [utf8, utf16, Buffer.from(utf16).swap16(), ...encoded(utf8)],
  };
}

export function bytesCanary(what: string, bytes: Uint8Array): Canary {
  return { what, forms: [Buffer.from(bytes), ...encoded(Buffer.from(bytes))] };
}

function encoded(bytes: Buffer): Buffer[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return Buffer.from(text.slice(shift === 0 ? 0 : 4, -2));
  });
  return [Buffer.from(bytes.toString('hex')), ...base64];
}

/** Which of them are to be seen in bytes, or in a name. */
export function seenIn(content: Uint8Array | string, canaries: readonly Canary[]): string[] {
  const bytes = Buffer.from(content as Uint8Array);
  return canaries.filter(({ forms }) => forms.some((form) => bytes.includes(form))).map(({ what }) => what);
}

/** What was seen, and where; and the paths of all that was written. */
export interface Sightings {
  seen: Map<string, string>;
  paths: Set<string>;
}

/** Watches a store: all that is ever written to it, and every name. */
export function watched(store: Store, canaries: readonly Canary[], { seen, paths }: Sightings): Store {
  const look = (where: string, content: Uint8Array | string): void => {
    for (const what of seenIn(content, canaries)) seen.set(what, where);
    if (typeof content === 'string') paths.add(content);
  };
  return {
    ...store,
    async create(path) {
      look(`name ${path}`, path);
      const file = await store.create(path);
      const parts: Uint8Array[] = [];
      return {
        async write(more) {
          // A canary may lie across two writes.
          parts.push(...more.map((part) => Uint8Array.from(part)));
          look(path, Buffer.concat(parts));
          await file.write(more);
        },
        sync: () => file.sync(),
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
    async link(from, to) {
      look(`name ${to}`, to);
      return await store.link(from, to);
    },
    async rename(from, to) {
      look(`name ${to}`, to);
      await store.rename(from, to);
    },
    async makeFolder(path) {
      look(`name ${path}`, path);
      await store.makeFolder(path);
    },
  };
}

/** All bytes and all names below a folder: canary -> where. */
export async function seenBelow(folder: string, canaries: readonly Canary[]): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    for (const what of seenIn(path.slice(folder.length), canaries)) seen.set(what, `name ${path}`);
    if (entry.isFile()) for (const what of seenIn(await readFile(path), canaries)) seen.set(what, path);
  }
  return seen;
}
