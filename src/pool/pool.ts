/** A function that runs on a worker thread: plain data in, plain data out. */
export interface Task<Input, Output> {
  /** Where its worker file lies: `new URL('../../workers/NAME.ts', import.meta.url)` with the ending of the importer. */
  readonly file: URL;
  /** The same function, for the in-thread pool. */
  readonly run: (input: Input) => Promise<Output>;
}

/** Runs tasks; errors that a task throws arrive with their code, message, hint and details. */
export interface Pool extends AsyncDisposable {
  readonly threads: number;
  run<Input, Output>(task: Task<Input, Output>, input: Input): Promise<Output>;
}

/** The file of a worker, with the ending that this very code runs under: tsc does not rewrite URLs. */
export function workerFile(name: string, importer: string): URL {
  return new URL(`../../workers/${name}${importer.endsWith('.ts') ? '.ts' : '.js'}`, importer);
}
