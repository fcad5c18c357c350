import { dirname } from 'node:path';
import { VhdvaultError } from '../../base/errors.ts';
import type { Layer } from './layer.ts';
import { lastNames } from './parent-paths.ts';
import { quote } from './quote.ts';
import { formatUniqueId, isNullId } from './unique-id.ts';

/** Found, but another image or none. `found` is its unique id, or what it is instead. */
export function wrong(child: Layer, path: string, found: string): VhdvaultError {
  const id = expectedId(child);
  const message = `${path} is not the parent of ${child.source.path}: its unique id is ${found}, expected ${id}`;
  return new VhdvaultError('VHD_PARENT_WRONG', message, {
    hint: 'put the right parent beside the image, or name its folder with --parent-root',
    details: { path, child: child.source.path, expected: id, found },
  });
}

/** Found, but where nobody allowed to look. It was not opened. */
export function forbidden(
  child: Layer,
  found: { path: string; real: string; allowed: readonly string[] },
): VhdvaultError {
  const { path, real } = found;
  const outside = found.allowed.join(', ');
  const leads = real === path ? '' : `, which leads to ${real}`;
  const message = `the parent of ${child.source.path} would be ${path}${leads}, outside of ${outside}`;
  return new VhdvaultError('VHD_PARENT_FORBIDDEN', message, {
    hint: `if that is the right file, allow its folder: --parent-root ${quote(dirname(real))}`,
    details: { path, child: child.source.path, expected: outside, found: real },
  });
}

/** Otherwise the guest of a raw disk could write a footer into its last sector and read its neighbours' raw disks. */
export function unnamed(child: Layer): VhdvaultError {
  const { path } = child.source;
  return new VhdvaultError('VHD_PARENT_FORBIDDEN', `${path} asks for a raw file as its parent, but is not named .vhd`, {
    hint: 'use --format vhd if it really is a differencing VHD, --format raw if it is a raw disk',
    details: { path },
  });
}

export function cycle(child: Layer, path: string): VhdvaultError {
  return new VhdvaultError('VHD_CHAIN', `${path} is both a descendant and the parent of ${child.source.path}`, {
    hint: 'the chain of parents runs in a circle; copy the images again from where they came',
    details: { path, child: child.source.path },
  });
}

/** `names`: what the image says where its parent is; `tried`: the paths at which it is not. */
export function missing(child: Layer, names: readonly string[], tried: readonly string[]): VhdvaultError {
  const { path } = child.source;
  const id = expectedId(child);
  const { parentName } = child.header!;
  const places = tried.length === 0 ? 'it names no path' : `tried ${tried.join(', ')}`;
  const message = `the parent of ${path} (${parentName || 'unnamed'}, unique id ${id}) is missing: ${places}`;
  return new VhdvaultError('VHD_PARENT_MISSING', message, {
    hint: tried.length === 0 ? NAMELESS : whereToPut(dirname(path), names),
    details: { path, offset: child.footer!.dataOffset! + 40, expected: id, tried: tried.join('\n'), found: null },
  });
}

const NAMELESS =
  'the image does not say which file its parent is: convert the chain to one image on the host that made it';

function whereToPut(folder: string, names: readonly string[]): string {
  const last = names.map(lastNames);
  const { name } = last.find((one) => one.name !== '') ?? { name: 'the parent' };
  const example = `/mnt/${last.find((one) => one.folder !== '')?.folder ?? 'images'}`;
  return `put ${quote(name)} into ${quote(folder)}, or name the folder that it lies in here, for example --parent-root ${quote(example)}`;
}

function expectedId(child: Layer): string {
  const { parentUniqueId } = child.header!;
  return isNullId(parentUniqueId) ? '(none: a raw file)' : formatUniqueId(parentUniqueId);
}
