import type { Draw } from '../fuzz/draw.ts';

/*
 * A file system with two layers: what processes see now, and what a power cut leaves. The bytes of a file are volatile until
 * `sync`, names until `syncFolder` of the folder that they are in. Everything happens at once; who asks, and when, is the
 * scheduler's. Harsher than any one real file system: it promises what POSIX does, and keeps no other order.
 */

/** What is written only grows, as objects of a vault do. */
export interface File {
  kind: 'file';
  bytes: Uint8Array;
  /** So many bytes from the beginning are durable. */
  synced: number;
  /** Step in which it got its newest name. */
  named: number;
}

interface Folder {
  kind: 'folder';
  named: number;
  names: Map<string, Node>;
  /** Of each name that changed since the folder was synced: what it led to, oldest first, before each change. */
  before: Map<string, (Node | undefined)[]>;
}

type Node = File | Folder;

/** A promise that a file system may break, for some paths, once the vault is made: to see that the simulator finds out. */
export interface Flaw {
  breaks: 'sync' | 'syncFolder' | 'link';
  of: RegExp;
}

export const FLAWS: Readonly<Record<string, Flaw>> = {
  'sync of packs does nothing': { breaks: 'sync', of: /-pack-/ },
  'sync of segments does nothing': { breaks: 'sync', of: /-segment-/ },
  'sync of entries does nothing': { breaks: 'sync', of: /\/entry-/ },
  'syncFolder of the log does nothing': { breaks: 'syncFolder', of: /^log$/ },
  'syncFolder of packs does nothing': { breaks: 'syncFolder', of: /^packs\// },
  'syncFolder of the index does nothing': { breaks: 'syncFolder', of: /^index$/ },
  'link replaces an entry': { breaks: 'link', of: /^log\// },
};

export class DurableFiles {
  readonly #root: Folder = newFolder();
  readonly #flaw: Flaw | undefined;
  /** FAT and some network mounts have no link(2). */
  hasLinks = true;
  /** Steps so far, for those who ask how new a name is. */
  step: () => number = () => 0;
  /** Bytes that fit. */
  capacity: number = Number.POSITIVE_INFINITY;

  constructor(flaw?: Flaw) {
    this.#flaw = flaw;
  }

  /** @throws ENOENT, EISDIR */
  file(path: string): File {
    const found = this.#find(path);
    if (found === undefined) throw systemError('ENOENT');
    if (found.kind === 'folder') throw systemError('EISDIR');
    return found;
  }

  isThere(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  kind(path: string): 'file' | 'folder' | undefined {
    return this.#find(path)?.kind;
  }

  /** Sorted; none when there is no such folder. Names that are newer than so many steps may be left out. */
  list(path: string, isSeen: (age: number) => boolean = () => true): string[] {
    const found = this.#find(path);
    if (found?.kind !== 'folder') return [];
    const seen = [...found.names].filter(([, { named }]) => isSeen(this.step() - named));
    return seen.map(([name]) => name).sort();
  }

  makeFolder(path: string): void {
    let at = this.#root;
    for (const name of partsOf(path)) {
      const found = at.names.get(name);
      if (found?.kind === 'file') throw systemError('ENOTDIR');
      const next = found ?? newFolder();
      if (!found) this.#setName(at, name, next);
      at = next;
    }
  }

  /** @throws EEXIST, ENOENT, ENOSPC */
  create(path: string): File {
    const { folder, name } = this.#place(path);
    if (folder.names.has(name)) throw systemError('EEXIST');
    if (this.#room() <= 0) throw systemError('ENOSPC');
    const file: File = { kind: 'file', bytes: new Uint8Array(0), synced: 0, named: 0 };
    this.#setName(folder, name, file);
    return file;
  }

  /** What still fits is written where not everything does. @throws ENOSPC */
  append(file: File, parts: readonly Uint8Array[]): void {
    const more = Buffer.concat([file.bytes, ...parts]);
    const fits = file.bytes.byteLength + this.#room();
    file.bytes = more.subarray(0, Math.min(more.byteLength, fits));
    if (fits < more.byteLength) throw systemError('ENOSPC');
  }

  /** `path`: the name that it was created under. */
  sync(file: File, path: string): void {
    if (!this.#isBroken('sync', path)) file.synced = file.bytes.byteLength;
  }

  /** @throws EEXIST, ENOENT, ENOTSUP */
  link(from: string, to: string): void {
    if (!this.hasLinks) throw systemError('ENOTSUP');
    const file = this.file(from);
    const { folder, name } = this.#place(to);
    if (folder.names.has(name) && !this.#isBroken('link', to)) throw systemError('EEXIST');
    this.#setName(folder, name, file);
  }

  /** @throws ENOENT, EISDIR, ENOTEMPTY */
  rename(from: string, to: string): void {
    const source = this.#place(from);
    const moved = source.folder.names.get(source.name);
    if (!moved) throw systemError('ENOENT');
    const target = this.#place(to);
    const there = target.folder.names.get(target.name);
    if (there?.kind === 'folder' && moved.kind === 'file') throw systemError('EISDIR');
    if (there?.kind === 'folder' && there.names.size > 0) throw systemError('ENOTEMPTY');
    this.#setName(target.folder, target.name, moved);
    this.#setName(source.folder, source.name, undefined);
  }

  /** One file, or one empty folder; what is gone already is no error. @throws ENOTEMPTY */
  remove(path: string): void {
    const found = this.#find(path);
    if (!found) return;
    if (found.kind === 'folder' && found.names.size > 0) throw systemError('ENOTEMPTY');
    const { folder, name } = this.#place(path);
    this.#setName(folder, name, undefined);
  }

  /** A folder with all that is in it. */
  removeAll(path: string): void {
    for (const name of this.list(path)) this.removeAll(`${path}/${name}`);
    this.remove(path);
  }

  /** @throws ENOENT */
  syncFolder(path: string): void {
    const found = this.#find(path);
    if (found?.kind !== 'folder') throw systemError(found ? 'ENOTDIR' : 'ENOENT');
    if (!this.#isBroken('syncFolder', path)) found.before.clear();
  }

  /** Bytes of all files that have a name. */
  used(): number {
    const seen = new Set<Node>();
    const sum = (node: Node): number => {
      if (seen.has(node)) return 0;
      seen.add(node);
      if (node.kind === 'file') return node.bytes.byteLength;
      return [...node.names.values()].reduce((bytes, child) => bytes + sum(child), 0);
    };
    return sum(this.#root);
  }

  /** What was not made durable is kept, torn or lost, each for itself; returns in words what was. */
  powerCut(draw: Draw): string[] {
    const told: string[] = [];
    const seen = new Set<Node>();
    const settle = (node: Node, path: string): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.kind === 'file') {
        const how = tear(node, draw);
        if (how) told.push(`${path} ${how}`);
        return;
      }
      for (const [name, earlier] of node.before) {
        const now = node.names.get(name);
        const left = draw.one([now, ...earlier]);
        if (left === now) continue;
        if (left) node.names.set(name, left);
        else node.names.delete(name);
        told.push(`${path}/${name} ${left ? (now ? 'is what it was' : 'is there again') : 'is gone'}`);
      }
      node.before.clear();
      for (const [name, child] of [...node.names].sort(([a], [b]) => (a < b ? -1 : 1))) {
        // A folder has one name.
        if (child.kind === 'folder' && seen.has(child)) node.names.delete(name);
        else settle(child, `${path}/${name}`);
      }
    };
    settle(this.#root, '');
    return told;
  }

  #setName(folder: Folder, name: string, node: Node | undefined): void {
    const history = folder.before.get(name) ?? [];
    history.push(folder.names.get(name));
    folder.before.set(name, history);
    if (!node) return void folder.names.delete(name);
    node.named = this.step();
    folder.names.set(name, node);
  }

  #isBroken(what: Flaw['breaks'], path: string): boolean {
    return this.#flaw?.breaks === what && this.#flaw.of.test(path) && this.isThere('vault.json');
  }

  #room(): number {
    return this.capacity === Number.POSITIVE_INFINITY ? this.capacity : Math.max(0, this.capacity - this.used());
  }

  #find(path: string): Node | undefined {
    let at: Node | undefined = this.#root;
    for (const name of partsOf(path)) at = at?.kind === 'folder' ? at.names.get(name) : undefined;
    return at;
  }

  #place(path: string): { folder: Folder; name: string } {
    const parts = partsOf(path);
    const name = parts.pop() as string;
    const folder = this.#find(parts.join('/'));
    if (folder?.kind !== 'folder') throw systemError('ENOENT');
    return { folder, name };
  }
}

/** As Node throws them, so that they are typed as those of a real file system are. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

function partsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function newFolder(): Folder {
  return { kind: 'folder', names: new Map(), before: new Map(), named: 0 };
}

/** Returns what became of the bytes that were not synced; undefined when nothing did. */
function tear(file: File, draw: Draw): string | undefined {
  const size = file.bytes.byteLength;
  if (file.synced >= size) return undefined;
  const at = file.synced + draw.below(size - file.synced + 1);
  switch (draw.below(4)) {
    case 0:
      file.bytes = file.bytes.slice(0, file.synced);
      break;
    case 1:
      file.bytes = file.bytes.slice(0, at);
      break;
    case 2:
      file.bytes = Uint8Array.from(file.bytes).fill(0, at);
      break;
    default:
  }
  // Whatever is on the platter now stays.
  file.synced = file.bytes.byteLength;
  return `has ${file.bytes.byteLength} of ${size} bytes, those from ${at} on perhaps zeros`;
}
