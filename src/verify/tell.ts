import { RESERVE_PATH } from '../vault/reserve.ts';
import type { Trouble } from '../vault/trouble.ts';
import { codeOf, RESERVE_CURE } from './cures.ts';
import type { Findings } from './findings.ts';
import type { Survey } from './survey.ts';

/* What verify and scrub tell alike. */

/** Names that are shown of many. */
const NAMED = 3;

export function tellStrangers({ strangers }: Survey, findings: Findings): void {
  tellNames(findings, {
    ...{ code: 'STRANGER', names: strangers, where: '', what: 'with no business in a vault', noun: 'name' },
    cure: 'the vault needs nothing of that: move it away if it is yours',
  });
}

export function tellFolders({ missingFolders, troubles }: Survey, findings: Findings): void {
  for (const { path, what, unread } of troubles)
    findings.tell('damage', {
      code: codeOf({ what, unread }, 'FOLDER'),
      what: `folder ${path} ${what}`,
      where: path,
      cure:
        unread ??
        `move away what lies there, and make the folder (mkdir ${path}, in the vault's folder)${DISPENSABLE.includes(path) ? '' : CONTENT}`,
    });
  if (missingFolders.length === 0) return;
  const named = missingFolders.slice(0, 5).join(', ') + (missingFolders.length > 5 ? ', ...' : '');
  findings.tell('warning', {
    code: 'FOLDER',
    what: `folders that every vault has are missing (${named}): backups would fail`,
    where: missingFolders[0] as string,
    cure: `in the vault's folder: ${missingFolders.length > 5 ? MAKE_ALL : `mkdir -p ${missingFolders.join(' ')}`}`,
  });
}

/** Folders of which no point needs anything. */
const DISPENSABLE = ['ckpt', 'lists', 'locks', 'quarantine', 'staging'];
const CONTENT = '; what it held must come from another copy of the vault';
const MAKE_ALL =
  'mkdir -p keys log ckpt index lists locks staging quarantine packs/{{0..9},{a..f}}{{0..9},{a..f}} (in bash)';

export function tellReserve(trouble: Trouble, findings: Findings): void {
  const words = { what: `the space that is set aside for a full disk ${trouble.what}`, where: RESERVE_PATH };
  if (trouble.unread === null) findings.tell('warning', { ...words, code: 'RESERVE', cure: RESERVE_CURE });
  else findings.tell('damage', { ...words, code: 'IO', cure: trouble.unread });
}

/** One finding for all of a kind. */
export function tellNames(
  findings: Findings,
  {
    names,
    bytes,
    code,
    what,
    where,
    cure,
    noun = 'file',
  }: {
    names: readonly string[];
    bytes?: number;
    code: string;
    what: string;
    where: string;
    cure: string;
    noun?: string;
  },
): void {
  const [first] = names;
  if (first === undefined) return;
  const size = bytes === undefined ? '' : ` (${bytes} bytes)`;
  const shown = names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ', ...' : '');
  const subject = `${names.length} ${noun}${names.length === 1 ? '' : 's'}${size}`;
  findings.tell('info', {
    code,
    what: `${subject} ${what}: ${shown}`,
    where: names.length === 1 ? first : where,
    cure,
  });
}
