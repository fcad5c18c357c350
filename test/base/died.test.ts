import { describe, expect, it } from 'vitest';
import { died } from '../../src/base/died.ts';
import { MIB } from '../../src/base/units.ts';

/** How far the bytes outside V8's heap rise above what they were, while 128 MiB are used, a block at a time. */
function peakOf(done: (block: Buffer) => void): number {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  for (let n = 0; n < 1024; n++) {
    const block = Buffer.allocUnsafeSlow(128 * 1024);
    done(block);
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  return peak;
}

describe('buffers that died', () => {
  it('are let go of before they pile up', () => {
    expect(peakOf((block) => died(block.byteLength))).toBeLessThan(8 * MIB);
    // Without it V8 waits.
    expect(peakOf(() => undefined)).toBeGreaterThan(16 * MIB);
  });
});
