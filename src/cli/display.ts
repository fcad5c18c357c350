import type { Progress } from '../jobs/types.ts';
import { printableJson } from '../report/printable.ts';
import type { Run } from './command.ts';
import { noticeText } from './print.ts';

export interface DisplayArguments {
  quiet?: boolean | undefined;
  progress?: 'auto' | 'json' | 'none' | undefined;
}

/** What a run shows on standard error while it works. Leaving it puts the terminal back as it was. */
export interface Display extends Disposable {
  onProgress(progress: Progress): void;
  onNotice(text: string): void;
}

/** Nothing with --quiet; lines of JSON with --progress json; bars at a terminal; else only notices. */
export async function openDisplay(args: DisplayArguments, run: Run): Promise<Display> {
  if (args.quiet) return silent;
  if (args.progress === 'json') return jsonLines(run);
  if (args.progress === 'none' || !run.stderr.isTTY) return noticesOnly(run);
  const { openBars } = await import('./bars.ts');
  return openBars(run);
}

const nothing = (): void => undefined;
const silent: Display = { onProgress: nothing, onNotice: nothing, [Symbol.dispose]: nothing };

function noticesOnly(run: Run): Display {
  return { ...silent, onNotice: (text) => run.stderr.write(noticeText(text, run)) };
}

/** At most one line a second, but each phase is told, and how far the run came. */
function jsonLines(run: Run): Display {
  let phase: Progress['phase'] | undefined;
  let next = 0;
  let untold: Progress | undefined;
  const write = (line: object): boolean => run.stderr.write(`${printableJson(line)}\n`);
  return {
    onProgress: (progress) => {
      const now = performance.now();
      untold = progress;
      if (progress.phase === phase && now < next) return;
      phase = progress.phase;
      next = now + 1000;
      untold = undefined;
      write({ event: 'progress', ...progress });
    },
    onNotice: (text) => write({ event: 'notice', text: run.secrets.redact(text) }),
    [Symbol.dispose]: () => {
      if (untold) write({ event: 'progress', ...untold });
    },
  };
}
