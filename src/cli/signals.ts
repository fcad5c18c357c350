/** Signals that ask a run to end, and the exit codes that tell of them. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Signals {
  readonly signal: AbortSignal;
  /** Of the signal that came first. */
  readonly exitCode: number | undefined;
}

/**
 * The first signal asks the run to end cleanly; the next one takes the handlers away and is raised again, so that the
 * process dies of it at once, as its parent expects. One that comes when all is done and said changes neither.
 */
export function listenForSignals(): Signals {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const stop = (): void => {
    for (const name of Object.keys(SIGNALS)) process.off(name, onSignal);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      stop();
      showCursor();
      process.kill(process.pid, name);
      return;
    }
    exitCode = SIGNALS[name as keyof typeof SIGNALS];
    controller.abort(new Error(`by ${name}`));
  };
  for (const name of Object.keys(SIGNALS)) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}

/** Progress bars hide it, and a process that dies of a signal runs no handler of theirs. */
function showCursor(): void {
  if (process.stderr.isTTY) process.stderr.write('\x1b[?25h');
}
