import { RESERVE_PATH } from '../vault/reserve.ts';
import type { Trouble } from '../vault/trouble.ts';
import { codeOf, RESERVE_CURE } from './cures.ts';
import type { Findings, PointFinding } from './findings.ts';
import { DEAD_LINK, type Survey } from './survey.ts';

/* What verify and scrub tell alike. */

/** Names that are shown of many. */
const NAMED = 3;

export function tellStrangers({ strangers }: Survey, findings: Findings): void {
  tellNames(findings, {
    ...{ code: 'STRANGER', names: strangers, where: '', what: 'with no business in a vault', noun: 'name' },
    cure: 'the vault needs nothing of that: move it away if it is yours',
  });
}

/** `told`: what was found of the files in them. A folder whose files are told as lost is no folder that was empty. */
export function tellFolders(
  { missingFolders, troubles }: Survey,
  findings: Findings,
  told: readonly PointFinding[] = findings.all,
): void {
  for (const { path, what, unread } of troubles)
    findings.tell('damage', {
      code: codeOf({ what, unread }, 'FOLDER'),
      what: `folder ${path} ${what}`,
      where: path,
      cure: unread ?? cureOfFolder(path, what),
    });
  const lost = told.filter(({ severity }) => severity === 'damage').map(({ where }) => `${where}/`);
  const empty = missingFolders.filter((folder) => !lost.some((where) => where.startsWith(`${folder}/`)));
  const [first] = empty;
  if (first === undefined) return;
  const named = empty.slice(0, 5).join(', ') + (empty.length > 5 ? `, ... ${empty.length} in all` : '');
  findings.tell('warning', {
    code: 'FOLDER',
    what: `folders that every vault has are missing (${named}): backups would fail`,
    where: first,
    cure: '`vhdvault repair` makes them',
  });
}

function cureOfFolder(path: string, what: string): string {
  const away =
    what === DEAD_LINK
      ? 'bring back what the link leads to (a disk that is not mounted?), or remove it'
      : 'move away what lies there';
  // Without these nothing opens the vault.
  if (['keys', 'log'].includes(path)) return `${away}, and bring ${path}/ back from another copy of the vault`;
  const content = path.startsWith('packs') ? '; what it held must come from another copy of the vault' : '';
  return `${away}: \`vhdvault repair\` makes the folder then${content}`;
}

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
