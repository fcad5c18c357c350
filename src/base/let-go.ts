import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: ((options: { type: 'minor' }) => void) | undefined;

/**
 * Lets go of buffers that died young. V8 waits until tens of MiB have piled up in each thread, since they lie outside
 * its heap. Called about once a megabyte, peak anonymous memory of a backup falls from 165 to 131 MiB with two threads and
 * from 267 to 193 with four.
 */
export function letGo(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as typeof collect;
  }
  collect?.({ type: 'minor' });
}
