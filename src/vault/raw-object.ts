import { isError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { HEADER_SIZE, type ObjectKind, parseObjectHeader } from './codec/object-header.ts';
import { hashObject } from './hash-object.ts';
import { LARGEST } from './largest-object.ts';
import type { Store } from './open-store.ts';
import { joinTroubles, type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';

/*
 * What can be told of objects by anyone, without a key: headers are in clear, and packs, segments and lists are named by
 * the hash of their bytes.
 */

/** What the headers of all objects of one vault have in common. */
export interface CommonFacts {
  family: Uint8Array;
  encrypted: boolean;
}

/** An object that is named by the hash of its bytes. */
export interface NamedObject {
  path: string;
  name: string;
  kind: keyof typeof LARGEST;
}

/** What is wrong with a header, of which `facts` tells what it must say. */
export function headerTrouble(
  stored: Uint8Array,
  kind: ObjectKind,
  path: string,
  facts: CommonFacts | undefined,
): Trouble | undefined {
  try {
    const header = parseObjectHeader(stored, kind, path);
    if (facts && !equalBytes(header.family, facts.family)) return wrongBytes('belongs to another vault');
    if (facts && header.encrypted !== facts.encrypted)
      return wrongBytes(`says that it is ${header.encrypted ? '' : 'not '}encrypted, unlike the vault`);
    return undefined;
  } catch (error) {
    return troubleOf(error, path);
  }
}

/**
 * Checks name against bytes, and the header, of an object that a listing told of; undefined where all is right, `gone` where
 * it was removed meanwhile. `onPart` is called before each MiB that is read, and may throw.
 */
export async function checkNamedObject(
  store: Store,
  object: NamedObject,
  { facts, onPart }: { facts: CommonFacts | undefined; onPart?: () => void },
): Promise<Trouble | 'gone' | undefined> {
  const first = await checkOnce(store, object, { facts, onPart });
  if (first !== 'gone' || !(await isListed(store, object))) return first;
  const again = await checkOnce(store, object, { facts, onPart });
  return again === 'gone' ? LEADS_NOWHERE : again;
}

const LEADS_NOWHERE = wrongBytes('is listed but cannot be opened: a symbolic link that leads nowhere, most likely');

async function checkOnce(
  store: Store,
  { path, name, kind }: NamedObject,
  { facts, onPart }: { facts: CommonFacts | undefined; onPart: (() => void) | undefined },
): Promise<Trouble | 'gone' | undefined> {
  try {
    const size = await store.size(path);
    if (size === undefined) return 'gone';
    if (size < HEADER_SIZE) return await wrongSize(store, path, size, ', shorter than any object');
    if (size > LARGEST[kind]) return wrongBytes(`is ${size} bytes long, longer than any ${kind} (${LARGEST[kind]})`);
    const inHeader = headerTrouble(await headerOf(store, path), kind, path, facts);
    const hash = await hashObject(store, path, onPart);
    if (hash !== name) return joinTroubles([...(inHeader ? [inHeader] : []), WRONG_NAME]);
    return inHeader;
  } catch (error) {
    return isError(error, 'NOT_FOUND') ? 'gone' : troubleOf(error, path);
  }
}

async function isListed(store: Store, { path, name }: NamedObject): Promise<boolean> {
  try {
    return (await store.list(path.slice(0, -name.length - 1))).includes(name);
  } catch (error) {
    // Whoever listed it first tells of the folder.
    troubleOf(error, path);
    return false;
  }
}

const WRONG_NAME = wrongBytes('does not have the bytes that its name tells');

async function headerOf(store: Store, path: string): Promise<Uint8Array> {
  await using file = await store.open(path);
  const header = new Uint8Array(HEADER_SIZE);
  await file.read(0, header);
  return header;
}
