import type { GcResult } from '../jobs/gc-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { countText, durationText, sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { tableLines } from './table.ts';

/** What was done, or would be, a line for each step; then what that frees, now and later. */
export function gcText(result: GcResult, look: Look): string {
  return [
    ...tableLines(stepRows(result), { align: 'll', gap: 2 }),
    ...remarkLines(look, result.warnings, result.notices),
    ...sumLines(result, look),
  ].join('\n');
}

function stepRows({ condemned, abandoned, repacked, merged, swept }: GcResult): string[][] {
  const { points, packs, bytes } = condemned;
  const given = [...(points > 0 ? [countText(points, 'forgotten point')] : []), ...packsText(packs, bytes)];
  return [
    ...abandoned.map(({ item, opened }) => ['abandoned', `${runText(item)} of ${momentText(opened)}`]),
    ...(given.length > 0 ? [['given up', given.join(', ')]] : []),
    ...(repacked.packs > 0 ? [['repacked', repackedText(repacked)]] : []),
    ...(merged.segments > 0 ? [['merged', `${countText(merged.segments, 'index segment')} into ${merged.into}`]] : []),
    ...(swept.packs + swept.segments > 0 ? [['deleted', sweptText(swept)]] : []),
  ];
}

function packsText(packs: number, bytes: number): string[] {
  return packs > 0 ? [`${countText(packs, 'pack')} that no point needs (${sizeText(bytes)})`] : [];
}

function runText(item: string | null): string {
  if (item === null) return 'an interrupted run';
  return item.startsWith('(') ? `an interrupted ${item.replace(/[()]/g, '')}` : `the interrupted backup of ${item}`;
}

function repackedText({ packs, into, bytes }: GcResult['repacked']): string {
  return `${countText(packs, 'pack')} into ${into}, ${sizeText(bytes)} written`;
}

function sweptText({ packs, segments, bytes }: GcResult['swept']): string {
  const files = [
    ...(packs > 0 ? [countText(packs, 'pack')] : []),
    ...(segments > 0 ? [countText(segments, 'index segment')] : []),
  ];
  return `${files.join(' and ')} (${sizeText(bytes)})`;
}

function sumLines({ dryRun, freedBytes, freedLater, seconds }: GcResult, look: Look): string[] {
  const later = freedLater.map(
    ({ bytes, at }) => `${sizeText(bytes)} can be freed from ${momentText(at)} on: run \`vhdvault gc\` then`,
  );
  const [now, isNothing] = [sizeText(freedBytes), freedBytes === 0];
  if (dryRun) return [`dry run: ${isNothing ? 'nothing' : now} would be freed now`, ...later];
  const took = `in ${durationText(seconds)}`;
  const sum = isNothing ? `nothing freed now, ${took}` : paint(look, 'bold', `${now} freed`) + ` ${took}`;
  return [sum, ...later];
}
