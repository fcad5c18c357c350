import { diskTypeNumber, fromTimestamp } from './footer.ts';
import type { Geometry } from './geometry.ts';
import type { ImageFormat, Layer, LocatorPath } from './layer.ts';
import { formatUniqueId } from './unique-id.ts';

/** What an image says about itself, as plain data, in the words of the VHD specification; null where its format has no such thing. */
export interface ImageFacts {
  /** Of the file. */
  path: string;
  /** What the image is. */
  format: ImageFormat;
  /** Bytes of the file. */
  fileSize: number;
  /** Bytes of the disk. */
  currentSize: number;
  /** Bytes of the disk when it was made. */
  originalSize: number | null;
  /** As `7af49fcb-...`, big-endian throughout. */
  uniqueId: string | null;
  /** As `win `; NULs at the end left out. */
  creatorApplication: string | null;
  /** `major.minor` */
  creatorVersion: string | null;
  /** `Wi2k`, `Mac ` or empty; NULs at the end left out. */
  creatorHostOS: string | null;
  /** When the image was made, ISO 8601 UTC. */
  timestamp: string | null;
  /** Informative: the size is the current size. */
  geometry: Geometry | null;
  /** Of the dynamic header, bytes from the start of the file; null also for fixed disks. */
  dataOffset: number | null;
  /** The machine is suspended. */
  savedState: boolean | null;
  /** 2 fixed, 3 dynamic, 4 differencing. */
  diskType: number | null;
  /** Dynamic and differencing: bytes. */
  blockSize: number | null;
  /** Of the block table, bytes from the start of the file. */
  tableOffset: number | null;
  /** Entries of the block table. */
  maxTableEntries: number | null;
  /** Blocks that the file stores. */
  allocatedBlocks: number | null;
  /** Differencing; all zero when the parent is a raw file. */
  parentUniqueId: string | null;
  /** As it is stored: a file name, or mostly a Windows path. */
  parentName: string | null;
  /** The paths of the parent that a differencing image stores. */
  locators: readonly LocatorPath[];
  /** The parent that was opened; null also where the chain is broken. */
  parent: ImageFacts | null;
}

/** The facts of a chain, its image first. */
export function factsOf(layers: readonly Layer[]): ImageFacts {
  let parent: ImageFacts | null = null;
  for (const layer of layers.toReversed())
    parent = { ...ofFile(layer), ...ofFooter(layer), ...ofHeader(layer), parent };
  return parent!;
}

type FileFacts = Pick<ImageFacts, 'path' | 'format' | 'fileSize' | 'currentSize'>;
type HeaderName = 'blockSize' | 'tableOffset' | 'maxTableEntries' | 'allocatedBlocks' | 'parentUniqueId' | 'parentName';
type HeaderFacts = Pick<ImageFacts, HeaderName | 'locators'>;
type FooterFacts = Omit<ImageFacts, keyof FileFacts | keyof HeaderFacts | 'parent'>;

function ofFile({ source, format, size }: Layer): FileFacts {
  return { path: source.path, format, fileSize: source.size, currentSize: size };
}

function ofFooter({ footer }: Layer): FooterFacts {
  return {
    originalSize: footer?.originalSize ?? null,
    uniqueId: footer ? formatUniqueId(footer.uniqueId) : null,
    creatorApplication: footer?.creatorApplication.replace(/\0+$/, '') ?? null,
    creatorVersion: footer ? `${footer.creatorVersion >>> 16}.${footer.creatorVersion & 0xffff}` : null,
    creatorHostOS: footer?.creatorHostOS.replace(/\0+$/, '') ?? null,
    timestamp: footer ? new Date(fromTimestamp(footer.timestamp)).toISOString() : null,
    geometry: footer?.geometry ?? null,
    dataOffset: footer?.dataOffset ?? null,
    savedState: footer?.savedState ?? null,
    diskType: footer ? diskTypeNumber(footer.type) : null,
  };
}

function ofHeader({ format, header, blocks, locators }: Layer): HeaderFacts {
  const child = format === 'vhd-differencing' ? header : null;
  return {
    blockSize: header?.blockSize ?? null,
    tableOffset: header?.tableOffset ?? null,
    maxTableEntries: header?.maxTableEntries ?? null,
    allocatedBlocks: blocks?.stored ?? null,
    parentUniqueId: child ? formatUniqueId(child.parentUniqueId) : null,
    parentName: child?.parentName ?? null,
    locators: child ? locators : [],
  };
}
