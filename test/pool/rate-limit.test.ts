import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createRateLimit, waitForTurn } from '../../src/pool/rate-limit.ts';

const MB = 1e6;
const goOn = (): void => undefined;

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

it('lets nobody be faster than the limit, but for a tenth of a second, however many there are', async () => {
  const limit = createRateLimit(10 * MB);
  const reader = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) await waitForTurn(limit, 0.1 * MB, goOn);
  };
  // 6 MB: the last one begins when those before it are over.
  expect(await secondsOf(() => Promise.all([reader(), reader(), reader()]))).toBeGreaterThan(0.48);
});

it('counts over threads', async () => {
  const limit = createRateLimit(10 * MB);
  const path = new URL('../../src/pool/rate-limit.ts', import.meta.url).href;
  const code = `import { workerData } from 'node:worker_threads';
    const { waitForTurn } = await import(${JSON.stringify(path)});
    for (let n = 0; n < 20; n++) await waitForTurn(workerData, 1e5, () => undefined);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const seconds = await secondsOf(() =>
    Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise((resolve, reject) => {
            new Worker(url, { workerData: limit }).once('exit', resolve).once('error', reject);
          }),
      ),
    ),
  );
  expect(seconds).toBeGreaterThan(0.48);
});

it('saves nothing up: after a pause it goes on at the same rate', async () => {
  const limit = createRateLimit(10 * MB);
  await waitForTurn(limit, 1, goOn);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const seconds = await secondsOf(async () => {
    for (let n = 0; n < 5; n++) await waitForTurn(limit, MB, goOn);
  });
  expect(seconds).toBeGreaterThan(0.28);
});

it('does not wait where there is no limit, and ends a wait of hours when the run is to end', async () => {
  for (let n = 0; n < 10; n++) await waitForTurn(createRateLimit(undefined), 1e15, goOn);
  const limit = createRateLimit(1);
  await waitForTurn(limit, MB, goOn);
  let looks = 0;
  const stop = (): void => {
    if (++looks === 2) throw new Error('stopped');
  };
  await expect(waitForTurn(limit, 1, stop)).rejects.toThrow('stopped');
});
