import { diskTypeNumber, fromTimestamp } from './footer.ts';
import type { Geometry } from './geometry.ts';
import type { ImageFormat, Layer, LocatorPath } from './layer.ts';
import { formatUniqueId } from './unique-id.ts';

/** What an image says about itself, as plain data, in the words of the VHD specification; null where its format has no such thing. */
export interface ImageFacts {
  path: string;
  format: ImageFormat;
  /** Bytes of the file. */
  fileSize: number;
  /** Bytes of the disk. */
  currentSize: number;
  originalSize: number | null;
  uniqueId: string | null;
  /** As `win `; NULs at the end left out. */
  creatorApplication: string | null;
  /** `major.minor` */
  creatorVersion: string | null;
  creatorHostOS: string | null;
  /** ISO 8601 UTC. */
  timestamp: string | null;
  geometry: Geometry | null;
  /** Of the dynamic header; null also for fixed disks. */
  dataOffset: number | null;
  savedState: boolean | null;
  /** 2 fixed, 3 dynamic, 4 differencing. */
  diskType: number | null;
  /** Dynamic and differencing. */
  blockSize: number | null;
  tableOffset: number | null;
  maxTableEntries: number | null;
  allocatedBlocks: number | null;
  /** Differencing; all zero when the parent is a raw file. */
  parentUniqueId: string | null;
  parentName: string | null;
  locators: readonly LocatorPath[];
  /** The parent that was opened. */
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
