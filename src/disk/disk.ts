import type { Cancellable } from '../base/abort.ts';
import type { Finding } from '../base/finding.ts';

/** data: stored in this image; parent: stored in an ancestor of a differencing image; zero: stored nowhere, reads as zeros. */
export type ExtentKind = 'data' | 'zero' | 'parent';

/** A range of a disk, in bytes. */
export interface Extent {
  offset: number;
  length: number;
  kind: ExtentKind;
}

/** What tells that a file (or blob) of a disk is still the one that was opened: it changes whenever the content may have. */
export interface Generation {
  path: string;
  stamp: string;
}

/** A read-only array of 512-byte sectors of known size, wherever it lives. */
export interface Disk extends AsyncDisposable {
  /** Bytes; a multiple of 512. */
  readonly size: number;
  /** `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `raw`, `block-device`, `point`, ... */
  readonly format: string;
  /** What was noticed while opening: degraded footers, odd creators. */
  readonly findings: readonly Finding[];
  /**
   * Fills the whole `target` with the disk's bytes from `offset`.
   * @throws DISK_RANGE when the range is not inside the disk; IO and VHD_* when the image cannot be read.
   */
  read(offset: number, target: Uint8Array, options?: Cancellable): Promise<void>;
  /**
   * The extents that cover `[offset, offset + length)`, in order, without gaps, clipped to the range, neighbours of one
   * kind joined. Default: the whole disk.
   */
  extents(offset?: number, length?: number): AsyncIterable<Extent>;
  /** One per file of the disk (a chain has several); compared before, during and after a backup. */
  generation(): Promise<readonly Generation[]>;
}
