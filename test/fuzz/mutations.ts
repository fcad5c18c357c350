import {
  batmap,
  bitmap,
  footerField,
  headerField,
  locatorField,
  locatorText,
  swappedEntries,
  tableEntry,
} from './field-mutations.ts';
import {
  cut,
  extended,
  flippedBytes,
  guestFooter,
  guestImage,
  movedHeader,
  movedStructure,
  poison,
  shortFooter,
  splice,
} from './file-mutations.ts';
import type { Mutation } from './mutant.ts';
import { cycle, otherIds, otherName, otherParent } from './parent-mutations.ts';

/** All of them; those that reach deepest are drawn most. */
export const MUTATIONS: readonly Mutation[] = [
  ...[footerField, footerField, footerField, headerField, headerField, headerField, locatorField, locatorField],
  ...[tableEntry, tableEntry, tableEntry, swappedEntries, bitmap, bitmap, flippedBytes, flippedBytes],
  ...[locatorText, batmap, movedStructure, movedHeader, cut, cut, extended, extended, shortFooter],
  ...[guestFooter, guestFooter, guestImage, splice, poison, otherParent, otherParent, otherIds, otherName, cycle],
];
