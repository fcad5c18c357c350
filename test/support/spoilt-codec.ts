import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/** Until the end zstd gives for every block what `other` compresses to, as a library with a bug, or bad memory. */
export function spoilZstd(other: Uint8Array): Disposable {
  const real = zlib.zstdCompressSync;
  const put = (work: typeof real): void => {
    zlib.zstdCompressSync = work;
    syncBuiltinESMExports();
  };
  put(() => real(other));
  return { [Symbol.dispose]: () => put(real) };
}
