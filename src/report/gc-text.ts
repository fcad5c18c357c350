import type { GcResult } from '../jobs/gc-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { ageText, countText, durationText, sizeText } from './quantity.ts';
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

function stepRows({ dryRun, condemned, abandoned, repacked, merged, swept }: GcResult): string[][] {
  const { points, packs, bytes } = condemned;
  const given = [...(points > 0 ? [countText(points, 'forgotten point')] : []), ...packsText(packs, bytes)];
  const step = (done: string, would: string, what: string): string[] => [dryRun ? `would ${would}` : done, what];
  return [
    ...abandoned.map(({ item, opened }) => step('abandoned', 'abandon', `${runText(item)} of ${momentText(opened)}`)),
    ...(given.length > 0 ? [step('given up', 'give up', given.join(', '))] : []),
    ...(repacked.packs > 0 ? [step('repacked', 'repack', repackedText(repacked, dryRun))] : []),
    ...mergedRows(merged, step),
    ...(swept.packs + swept.segments + swept.leftovers > 0 ? [step('deleted', 'delete', sweptText(swept))] : []),
  ];
}

/** Segments of which nothing is left have none in their place. */
function mergedRows(
  { segments, into }: GcResult['merged'],
  step: (done: string, would: string, what: string) => string[],
): string[][] {
  if (segments === 0) return [];
  const what = countText(segments, 'index segment');
  return [
    into === 0 ? step('dropped', 'drop', what) : step('rewritten', 'rewrite', `${what} (${into} in their place)`),
  ];
}

function packsText(packs: number, bytes: number): string[] {
  return packs > 0 ? [`${countText(packs, 'pack')} that no point needs (${sizeText(bytes)})`] : [];
}

function runText(item: string | null): string {
  if (item === null) return 'an interrupted run';
  return item.startsWith('(') ? `an interrupted ${item.replace(/[()]/g, '')}` : `the interrupted backup of ${item}`;
}

function repackedText({ packs, into, bytes }: GcResult['repacked'], dryRun: boolean): string {
  return `${countText(packs, 'pack')} into ${into}, ${sizeText(bytes)} ${dryRun ? 'to write' : 'written'}`;
}

function sweptText({ packs, segments, leftovers, bytes }: GcResult['swept']): string {
  const files = [
    ...(packs > 0 ? [countText(packs, 'pack')] : []),
    ...(segments > 0 ? [countText(segments, 'index segment')] : []),
    ...(leftovers > 0 ? [countText(leftovers, 'leftover of interrupted runs', 'leftovers of interrupted runs')] : []),
  ];
  const most = files.slice(0, -1).join(', ');
  return `${most === '' ? '' : `${most} and `}${files.at(-1)} (${sizeText(bytes)})`;
}

function sumLines(result: GcResult, look: Look): string[] {
  const { dryRun, freedBytes, seconds } = result;
  const later = laterLines(result);
  const [now, isNothing] = [sizeText(freedBytes), freedBytes === 0];
  if (dryRun) return [`dry run: ${isNothing ? 'nothing' : now} would be freed now`, ...later];
  const took = `in ${durationText(seconds)}`;
  const sum = isNothing ? `nothing freed now, ${took}` : paint(look, 'bold', `${now} freed`) + ` ${took}`;
  return [sum, ...later];
}

/** What gcs to come will do, as far as it is known by now. */
function laterLines({ freedLater, unfinished, forgottenLater, grace }: GcResult): string[] {
  return [
    ...freedLater.map(
      ({ bytes, at }) => `${sizeText(bytes)} can be freed from ${momentText(at)} on: run \`vhdvault gc\` then`,
    ),
    ...unfinished.map(
      ({ item, opened, bytes, at }) =>
        `${bytes === null ? 'what was stored' : sizeText(bytes)} by ${runText(item)} of ${momentText(opened)} can be freed from ${momentText(at)} on, unless another one goes on with it`,
    ),
    ...forgottenLines(forgottenLater, grace),
  ];
}

/** In one line: who forgets every night has a fortnight of them. */
function forgottenLines(later: GcResult['forgottenLater'], grace: number): string[] {
  const [first, last] = [later[0], later.at(-1)];
  if (!first || !last) return [];
  const count = countText(
    later.reduce((sum, { points }) => sum + points, 0),
    'forgotten point',
  );
  const until = last === first ? '' : `, the last from ${momentText(last.at)} on`;
  const freed = grace === 0 ? 'and frees' : `and one ${ageText(grace)} later frees`;
  return [
    `${count} can be given up from ${momentText(first.at)} on${until}: the next gc then does, ${freed} what no other point needs`,
  ];
}
