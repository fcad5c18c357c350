/** A function that runs on a worker thread: plain data in, plain data out. */
export interface Task<Input, Output> {
  /** Its worker file: workers/NAME.ts. */
  readonly worker: Worker;
  /** The same function, for the in-thread pool. */
  readonly run: (input: Input) => Promise<Output>;
}

export type Worker = 'scan' | 'copy' | 'check-packs' | 'scrub-objects';

/** Runs tasks; errors that a task throws arrive with their code, message, hint and details. */
export interface Pool extends AsyncDisposable {
  readonly threads: number;
  /** Starts the threads for a task that will be run soon, while this thread does something else. */
  prepare(worker: Worker): void;
  run<Input, Output>(task: Task<Input, Output>, input: Input): Promise<Output>;
}
