import { VhdvaultError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { CODECS, type Codec } from './codec/compress.ts';
import { BRING_BACK, damaged, FORMAT, NO_BYTES, newer } from './codec/object-header.ts';

export const CONFIG_PATH = 'vault.json';
export const MIN_BLOCK: number = 16 * 1024;
export const MAX_BLOCK: number = 4 * 1024 * 1024;

/** The constants of a vault, as in vault.json (FORMAT.md). */
export interface VaultConfig {
  family: Uint8Array;
  id: Uint8Array;
  blockSize: number;
  codec: Codec;
  encrypted: boolean;
  /** In the place of the master key where the vault is not encrypted. */
  publicKey: Uint8Array | null;
  certificateKey: Uint8Array;
  /** The file system lacks link(2): one writer at a time. */
  singleWriter: boolean;
  reserve: number;
}

export function encodeConfig(config: VaultConfig): Uint8Array {
  const document = {
    magic: 'vhdvault',
    format: FORMAT,
    family: toHex(config.family),
    id: toHex(config.id),
    blockSize: config.blockSize,
    codec: config.codec,
    encryption: config.encrypted ? 'aes-256-gcm' : 'none',
    publicKey: config.publicKey && toHex(config.publicKey),
    certificateKey: toHex(config.certificateKey),
    singleWriter: config.singleWriter,
    reserve: config.reserve,
    features: [],
  };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

/** @throws VAULT_DAMAGED, VAULT_NEWER */
export function parseConfig(bytes: Uint8Array): VaultConfig {
  const fields = parseJson(bytes);
  if (fields.magic !== 'vhdvault') throw damaged(CONFIG_PATH, 'is not the vault.json of a vault', BRING_BACK);
  if (typeof fields.format === 'number' && fields.format > FORMAT) {
    throw newer(`${CONFIG_PATH} has format ${fields.format}, this version knows ${FORMAT}`, CONFIG_PATH);
  }
  if (Array.isArray(fields.features) && fields.features.length > 0) {
    throw newer(`${CONFIG_PATH} asks for ${fields.features.join(', ')}`, CONFIG_PATH);
  }
  const { blockSize, codec, encryption, publicKey, reserve } = fields;
  const config: VaultConfig = {
    family: hexField(fields, 'family', 16),
    id: hexField(fields, 'id', 16),
    blockSize: isBlockSize(blockSize) ? blockSize : bad('blockSize'),
    codec: typeof codec === 'string' && Object.hasOwn(CODECS, codec) ? (codec as Codec) : bad('codec'),
    encrypted: encryption === 'aes-256-gcm' || (encryption === 'none' ? false : bad('encryption')),
    publicKey: publicKey === null ? null : hexField(fields, 'publicKey', 32),
    certificateKey: hexField(fields, 'certificateKey', 32),
    singleWriter: fields.singleWriter === true,
    reserve: typeof reserve === 'number' && Number.isSafeInteger(reserve) && reserve >= 0 ? reserve : bad('reserve'),
  };
  if (config.encrypted === (config.publicKey !== null)) bad('publicKey');
  // Canonical: what does not encode to the same bytes holds something else.
  if (Buffer.compare(encodeConfig(config), bytes) !== 0)
    throw damaged(CONFIG_PATH, 'is not in its canonical form', BRING_BACK);
  return config;
}

export function isBlockSize(n: unknown): n is number {
  return typeof n === 'number' && n >= MIN_BLOCK && n <= MAX_BLOCK && Number.isInteger(Math.log2(n));
}

export function checkBlockSize(n: number): void {
  if (isBlockSize(n)) return;
  throw new VhdvaultError('USAGE', `a block size of ${n} bytes is not possible`, {
    hint: 'use a power of two from 16KiB to 4MiB; 128KiB suits most disks, 1MiB a vault of hundreds of TiB',
    details: { blockSize: n },
  });
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  try {
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) ?? {}) as Record<string, unknown>;
  } catch {
    throw damaged(CONFIG_PATH, bytes.byteLength > 0 ? 'is not JSON' : NO_BYTES, BRING_BACK);
  }
}

function hexField(fields: Record<string, unknown>, name: string, length: number): Uint8Array {
  const value = fields[name];
  return typeof value === 'string' && new RegExp(`^[0-9a-f]{${length * 2}}$`).test(value) ? fromHex(value) : bad(name);
}

function bad(field: string): never {
  throw damaged(CONFIG_PATH, `has no valid ${field}`, BRING_BACK);
}
