import type { LogTrouble } from '../vault/check-log.ts';
import type { Store } from '../vault/open-store.ts';
import { logEntryPath, writingPath } from '../vault/vault.ts';
import type { Findings } from './findings.ts';

/**
 * Where link(2) is missing, an entry that is being written looks torn for a moment, or for as long as its writer stands still. Its sign
 * tells that nobody was told of it yet (L3). What is wrong with others is returned.
 */
export async function tellUnfinished(
  store: Store,
  { troubles, last }: { troubles: readonly LogTrouble[]; last: number },
  findings: Findings,
): Promise<readonly LogTrouble[]> {
  const path = logEntryPath(last);
  const isUnfinished = ({ unread, path: where }: LogTrouble): boolean => unread === null && where === path;
  if (!troubles.some(isUnfinished) || (await store.size(writingPath(path))) === undefined) return troubles;
  findings.tell('info', {
    ...{
      code: 'LOG_ENTRY',
      what: 'the newest entry of the log is being written, or its writer was killed',
      where: path,
    },
    cure: 'nothing is to be done: nobody was told of it, and the next run that writes moves aside what a killed one left',
  });
  return troubles.filter((trouble) => !isUnfinished(trouble));
}
