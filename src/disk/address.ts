/** A plain, serialisable name of a disk: what crosses threads instead of open disks. */
export type DiskAddress = FileAddress;

/** A disk in a file or block device. */
export interface FileAddress {
  /** Other kinds may come. */
  kind: 'file';
  /** Absolute, or relative to the working folder. */
  path: string;
  /** Overrides what the content says. */
  format?: 'vhd' | 'raw';
  /** Folders, besides the child's own, in which a differencing image's parents may lie. */
  parentRoots?: readonly string[];
}
