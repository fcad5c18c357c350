import { VhdvaultError } from '../base/errors.ts';
import { type Command, usageOf, wordsOf } from './command.ts';
import { commands, groups } from './commands.ts';

/** Makes a USAGE error of what the argument parser complains of, in our words and with the command's usage line. */
export function usageProblem(complaint: string, words: readonly string[]): VhdvaultError {
  const { usage, help, command } = usageFor(words);
  const meant = /^Did you mean (.*)\?$/.exec(complaint)?.[1];
  // The parser's idea of likeness is generous: for "frob" it proposes "show".
  const likely = meant !== undefined && plainWords(words).some((word) => word[0] === meant[0]);
  const hint = `${likely ? `did you mean ${meant}? ` : ''}\`${help}\` tells more`;
  const message = meant === undefined ? ourWords(complaint, words, command) : unknownCommand(words);
  return new VhdvaultError('USAGE', message, { hint, details: { usage } });
}

/** The same for an error that a command itself raised: adds the usage line to it. */
export function withUsage(error: VhdvaultError, words: readonly string[]): VhdvaultError {
  if (error.code !== 'USAGE' || error.details.usage !== undefined) return error;
  const { usage, help } = usageFor(words);
  return new VhdvaultError('USAGE', error.message, {
    hint: error.hint ?? `\`${help}\` tells more`,
    details: { ...error.details, usage },
  });
}

/** An option of one value that was given more than once: the parser would make a list of it. */
export function repeatedOption(command: Command, args: Readonly<Record<string, unknown>>): string | undefined {
  const name = Object.keys(command.options).find((key) => Array.isArray(args[key]) && !command.options[key]!.array);
  return name === undefined ? undefined : `--${name}`;
}

/** Taken for a path, an empty value would be the working folder: who types `--to "$FOLDER"` did not mean that. */
export function emptyOption(command: Command, args: Readonly<Record<string, unknown>>): string | undefined {
  const mustTell = Object.keys(command.options).filter((name) => command.options[name]!.requiresArg && name !== 'note');
  const name = mustTell.find((key) => [args[key]].flat().includes(''));
  return name === undefined ? undefined : `--${name}`;
}

function usageFor(words: readonly string[]): { usage: string; help: string; command?: Command } {
  const [first, second] = plainWords(words);
  const command = commands.find((one) => [first, `${first} ${second}`].includes(wordsOf(one)));
  if (command) return { usage: usageOf(command), help: `vhdvault ${wordsOf(command)} --help`, command };
  if (first !== undefined && first in groups) {
    return { usage: `vhdvault ${first} COMMAND [options]`, help: `vhdvault ${first} --help` };
  }
  return { usage: 'vhdvault COMMAND [options]', help: 'vhdvault --help' };
}

function plainWords(words: readonly string[]): string[] {
  return words.filter((word) => !word.startsWith('-'));
}

function unknownCommand(words: readonly string[]): string {
  const [first, second] = plainWords(words);
  return `unknown command: ${first !== undefined && first in groups ? `${first} ${second}` : first}`;
}

function ourWords(complaint: string, words: readonly string[], command: Command | undefined): string {
  const line = complaint.replace(/\s*\n\s*/g, ' ').trim();
  const match = (pattern: RegExp): string | undefined => pattern.exec(line)?.[1];
  const unknown = match(/^Unknown arguments?: (.*)$/);
  if (unknown !== undefined) return unknownWords(unknown.split(', '), words, command !== undefined);
  const given = match(/^Not enough non-option arguments: got (\d+)/);
  if (given !== undefined) return missingArguments(Number(given), command);
  const missing = match(/^Missing required arguments?: (.*)$/);
  if (missing !== undefined) return `--${missing.split(', ').join(', --')} is missing`;
  const bare = match(/^Not enough arguments following: (.*)$/);
  if (bare !== undefined) return `--${bare} needs a value`;
  const choice = /^Invalid values: Argument: (.*), Given: (.*), Choices: (.*)$/.exec(line);
  if (choice) return `--${choice[1]} is ${choice[2]}, but must be one of ${choice[3]!.replaceAll('"', '')}`;
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function missingArguments(given: number, command: Command | undefined): string {
  const required = Object.entries(command?.positionals ?? {}).filter(([, positional]) => positional.demandOption);
  const names = required.slice(given).map(([name]) => name.toUpperCase());
  return names.length === 0
    ? 'too few arguments'
    : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} missing`;
}

function unknownWords(unknown: readonly string[], words: readonly string[], known: boolean): string {
  const options = words.filter((word) => word.startsWith('-')).map((word) => word.replace(/=.*/s, ''));
  const option = options.find((word) => unknown.includes(word.replace(/^--?/, '')));
  // Without a command no option is known: it is the command that is wrong.
  if (!known && plainWords(words).length > 0) return unknownCommand(words);
  return option === undefined ? `too many arguments: ${unknown.join(', ')}` : `unknown option: ${option}`;
}
