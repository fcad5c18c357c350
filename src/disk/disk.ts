import type { Cancellable } from '../base/abort.ts';
import type { Finding } from '../base/finding.ts';

/**
 * data: stored in this image; parent: stored in an ancestor of a differencing image; zero: stored nowhere, reads as zeros.
 * What is stored may be zeros too.
 */
export type ExtentKind = 'data' | 'zero' | 'parent';

/** A range of a disk, in bytes. */
export interface Extent {
  /** Bytes from the beginning of the disk. */
  offset: number;
  /** Bytes, more than 0. */
  length: number;
  /** Where the bytes are. */
  kind: ExtentKind;
}

/** What tells that a file (or blob) of a disk is still the one that was opened: it changes whenever the content may have. */
export interface Generation {
  /** Of the file. */
  path: string;
  /** Only ever compared with another one of the same file. */
  stamp: string;
  /** There are no times to tell by, as on a block device: it may have changed between two runs and look the same. */
  timeless?: true;
}

/** How to tell extents. */
export interface ExtentsOptions extends Cancellable {
  /** So many images of a chain, the disk's own first, count as its own: what one of them stores is `data`. Default 1. */
  top?: number;
}

/** A read-only array of 512-byte sectors of known size, wherever it lives. Reads may run at the same time. */
export interface Disk extends AsyncDisposable {
  /** Bytes; a multiple of 512. */
  readonly size: number;
  /** `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `raw`, `block-device`, `point`, ... */
  readonly format: string;
  /** What was noticed while opening: degraded footers, odd creators. */
  readonly findings: readonly Finding[];
  /**
   * Fills the whole `target` with the disk's bytes from `offset`, which need not be a multiple of anything.
   * @throws DISK_RANGE when the range is not inside the disk; IO, VHD_* or VAULT_DAMAGED when it cannot be read; CANCELLED
   */
  read(offset: number, target: Uint8Array, options?: Cancellable): Promise<void>;
  /**
   * The extents that cover `[offset, offset + length)`, in order, without gaps, clipped to the range, neighbours of one
   * kind joined. Default: the whole disk.
   * @throws what `read` throws
   */
  extents(offset?: number, length?: number, options?: ExtentsOptions): AsyncIterable<Extent>;
  /** One per file of the disk (a chain has several); compared before, during and after a backup. @throws IO, CANCELLED */
  generation(options?: Cancellable): Promise<readonly Generation[]>;
}
