import type { Finding } from '../../base/finding.ts';
import { MIB } from '../../base/units.ts';
import type { DynamicHeader } from './dynamic-header.ts';
import type { Footer } from './footer.ts';
import { geometryBytes } from './geometry.ts';
import { isNullId } from './unique-id.ts';

/**
 * qemu takes the size from the geometry unless it knows the creator or the geometry is the greatest. Disk2vhd is `d2v` and a
 * NUL, which qemu does not know; it is saved by writing the greatest geometry.
 */
const SIZE_FIELD_CREATORS = ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0'];

/** Whether qemu takes the disk of a footer for larger or smaller than it is. */
export function hasSizeQuirk({ creatorApplication, geometry, currentSize }: Footer): boolean {
  const covered = geometryBytes(geometry);
  const most = geometryBytes({ cylinders: 65535, heads: 16, sectorsPerTrack: 255 });
  return !SIZE_FIELD_CREATORS.includes(creatorApplication) && covered !== currentSize && covered !== most;
}

/** What is odd about a footer, and yet legal. */
export function oddities(path: string, footer: Footer): Finding[] {
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], code: string, what: string, cure = ''): void => {
    findings.push({ severity, code, what, where: path, cure });
  };
  if (hasSizeQuirk(footer)) {
    const creator = JSON.stringify(footer.creatorApplication);
    const covered = geometryBytes(footer.geometry);
    const what = `creator ${creator}: the geometry covers ${covered} bytes, the current size is ${footer.currentSize}, which counts`;
    add('info', 'VHD_SIZE_QUIRK', what, 'with qemu-img, use the option force_size_calc=current_size on this image');
  }
  if (footer.savedState) {
    add(
      'warning',
      'VHD_SAVED_STATE',
      'the machine was suspended: its disk is not quiescent',
      'shut the machine down first',
    );
  }
  if (isNullId(footer.uniqueId)) add('warning', 'VHD_NULL_ID', 'the unique id is all zero');
  return findings;
}

/** What is odd about a dynamic header, and yet legal. */
export function headerOddities(path: string, header: DynamicHeader): Finding[] {
  const what = unusualBlockSize(header.blockSize);
  return what === null ? [] : [{ severity: 'info', code: 'VHD_BLOCK_SIZE', what, where: path, cure: '' }];
}

/** In words; null for the sizes that every program reads. */
export function unusualBlockSize(bytes: number): string | null {
  if (bytes === 2 * MIB || bytes === MIB / 2) return null;
  return `blocks of ${bytes} bytes are legal, but some programs read only 2 MiB and 512 KiB`;
}
