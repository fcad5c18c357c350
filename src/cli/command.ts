import type { InferredOptionTypes, Options } from 'yargs';
import type { Look } from '../report/look.ts';
import type { Verdict } from './exit-code.ts';
import type { Secrets } from './secrets.ts';

/** What a command works with: the process, but replaceable. */
export interface Run {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  signal: AbortSignal;
  stdin: NodeJS.ReadStream;
  stderr: NodeJS.WriteStream;
  /** Everything that must not be printed. */
  secrets: Secrets;
}

/** What a command hands back: data for `--json`, text for people, and (from the data) the exit code. */
export interface Outcome {
  result: object & Verdict;
  text(look: Look): string;
}

export type OptionMap = Readonly<Record<string, Options>>;

export interface Command {
  /** As yargs reads it: `backup <item> [disk..]`. */
  syntax: string;
  /** The word that it stands under: `vhd`. */
  group?: string;
  describe: string;
  examples: readonly (readonly [command: string, description: string])[];
  positionals: OptionMap;
  options: OptionMap;
  run(args: Readonly<Record<string, unknown>>, run: Run): Promise<Outcome>;
}

interface CommandParts<P extends OptionMap, O extends OptionMap> extends Omit<Command, 'run'> {
  positionals: P;
  options: O;
  run(args: InferredOptionTypes<P & O>, run: Run): Promise<Outcome>;
}

/** Checks that what a command reads is what it declares, then forgets the types: yargs has checked the values. */
export function command<P extends OptionMap, O extends OptionMap>(parts: CommandParts<P, O>): Command {
  return parts as unknown as Command;
}

/** `vhdvault backup ITEM [DISK...] [options]` */
export function usageOf(command: Pick<Command, 'syntax' | 'group'>): string {
  const words = command.syntax.replace(/<([^>]+)>/g, (_, name: string) => name.toUpperCase());
  const shown = words.replace(/\[([\w-]+)(\.\.)?\]/g, (_, name: string, many?: string) =>
    many ? `[${name.toUpperCase()}...]` : `[${name.toUpperCase()}]`,
  );
  return ['vhdvault', command.group, shown, '[options]'].filter(Boolean).join(' ');
}

/** `vhd info` */
export function wordsOf(command: Pick<Command, 'syntax' | 'group'>): string {
  return [command.group, command.syntax.split(' ')[0]].filter(Boolean).join(' ');
}
