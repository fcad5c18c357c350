import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { platform } from 'node:os';
import { basename, dirname } from 'node:path';
import { ioError, systemCode, VhdvaultError } from '../base/errors.ts';
import { fileIdentity } from '../io/file-identity.ts';

/** Elsewhere nobody is kept from writing. */
export const canLock: boolean = platform() === 'linux';

/**
 * Keeps other processes of this machine from writing to an image at the same time. The lock is a name that only the kernel
 * knows (an abstract socket, so Linux only), which goes with the process however that ends: nothing is left behind, and
 * nobody judges the age of a file.
 * @throws IMAGE_LOCKED, NOT_FOUND, NO_PERMISSION, IO
 */
export async function lockImage(path: string): Promise<AsyncDisposable> {
  return await lock(path, await fileIdentity(path));
}

/**
 * The same for an image that is being made, whose file is not there yet.
 * @throws IMAGE_LOCKED, NOT_FOUND, NO_PERMISSION, IO
 */
export async function lockTarget(path: string): Promise<AsyncDisposable> {
  const name = createHash('sha256').update(basename(path)).digest('hex').slice(0, 32);
  return await lock(path, `${await fileIdentity(dirname(path))}-${name}`);
}

async function lock(path: string, identity: string): Promise<AsyncDisposable> {
  if (!canLock) return { [Symbol.asyncDispose]: async () => {} };
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: `\0vhdvault-image-${identity}`, exclusive: true }, resolve);
  }).catch((error: unknown) => {
    throw systemCode(error) === 'EADDRINUSE' ? locked(path) : ioError(error, 'locking', path);
  });
  server.unref();
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

function locked(path: string): VhdvaultError {
  return new VhdvaultError('IMAGE_LOCKED', `${path} is being written to by another run`, {
    hint: 'wait until that one has ended',
    details: { path },
  });
}
