import { expect } from 'vitest';

/** vitest compares bytes one by one: two megabytes take it a second. What is not equal it still compares itself, and shows. */
expect.addEqualityTesters([(a, b) => (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b) ? true : undefined)]);
