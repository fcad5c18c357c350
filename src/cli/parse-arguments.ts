import yargs, { type Argv } from 'yargs';
import { VERSION } from '../base/version.ts';
import { type Command, usageOf } from './command.ts';
import { commands, groups } from './commands.ts';
import { emptyOption, repeatedOption, usageProblem } from './usage-problem.ts';

/** What the user wants: a command with its arguments, or a text (help, version, completions). */
export type Parsed = { command: Command; args: Readonly<Record<string, unknown>> } | { print: string };

/** A word of yargs' own, hidden: `completion` shows what it prints. */
const SCRIPT = 'completion-script';

/** @throws USAGE */
export function parseArguments(words: readonly string[]): Parsed {
  const asked = words.length === 0 ? ['--help'] : words[0] === 'help' ? [...words.slice(1), '--help'] : words;
  let parsed: Parsed | undefined;
  const parser = buildParser(asked, (command, args) => {
    const repeated = repeatedOption(command, args);
    if (repeated !== undefined) throw usageProblem(`${repeated} is given twice`, words);
    const empty = emptyOption(command, args);
    if (empty !== undefined) throw usageProblem(`${empty} is empty`, words);
    parsed = { command, args: unguard(command, args) };
  });
  let print = '';
  parser.parse(guard(asked), {}, (_error, _argv, output) => {
    print = output;
  });
  return parsed ?? { print };
}

/** No argument can contain it. */
const GUARD = '\0';

/**
 * Takes `--` away and marks the words behind it that look like options. The parser would leave these words out of the
 * positional arguments, so that `backup web01 -- -os.vhd` would quietly back up something else.
 */
function guard(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  if (end < 0) return [...words];
  return [...words.slice(0, end), ...words.slice(end + 1).map((word) => (word.startsWith('-') ? GUARD + word : word))];
}

function unguard(command: Command, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const plain = (value: unknown): unknown => (typeof value === 'string' ? value.replace(GUARD, '') : value);
  const names = Object.keys(command.positionals).filter((name) => args[name] !== undefined);
  const positionals = names.map((name) => {
    const value = args[name];
    return [name, Array.isArray(value) ? value.map(plain) : plain(value)];
  });
  return { ...args, ...Object.fromEntries(positionals) };
}

export function completionScript(): string {
  const parsed = parseArguments([SCRIPT]);
  return 'print' in parsed ? parsed.print.replaceAll(SCRIPT, 'completion') : '';
}

type Chosen = (command: Command, args: Readonly<Record<string, unknown>>) => void;

function buildParser(words: readonly string[], chosen: Chosen): Argv {
  const parser = yargs()
    .scriptName('vhdvault')
    .usage('vhdvault COMMAND [options]')
    .detectLocale(false)
    .exitProcess(false)
    .parserConfiguration({
      'camel-case-expansion': false,
      'boolean-negation': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .strict()
    .recommendCommands()
    .demandCommand(1, 'no command was given')
    .fail((message, error) => {
      // What the parser itself finds comes as a message, as an error of its own, or as both.
      throw error && error.name !== 'YError' ? error : usageProblem(message || error.message, words);
    })
    .version(VERSION)
    .alias('help', 'h')
    .wrap(Math.min(process.stdout.columns || 100, 110))
    .completion(SCRIPT, false)
    .example('vhdvault init /srv/vault', 'Make a vault')
    .example('vhdvault backup web01 os.vhd data.vhd', 'Make a recovery point')
    .example('vhdvault restore web01 --to /restored/', 'Bring it back')
    .epilogue('`vhdvault COMMAND --help` tells more. VHDVAULT_VAULT saves typing --vault.');
  // Else the parser takes a last argument that happens to be the word "help" for the option.
  if (!words.some((word) => word === '--help' || word === '-h')) parser.help(false);
  for (const command of commands.filter((one) => one.group === undefined)) addCommand(parser, command, chosen);
  for (const [group, describe] of Object.entries(groups)) addGroup(parser, group, describe, chosen);
  return parser;
}

function addGroup(parser: Argv, group: string, describe: string, chosen: Chosen): void {
  const members = commands.filter((command) => command.group === group);
  parser.command(group, describe, (inner) => {
    inner.usage(`vhdvault ${group} COMMAND [options]`).demandCommand(1, `no command was given after ${group}`);
    for (const [line, what] of members.flatMap((member) => member.examples.slice(0, 1))) inner.example(line, what);
    for (const member of members) addCommand(inner, member, chosen);
    return inner;
  });
}

function addCommand(parser: Argv, command: Command, chosen: Chosen): void {
  const build = (inner: Argv): Argv => {
    for (const [name, positional] of Object.entries(command.positionals)) inner.positional(name, positional as object);
    for (const [line, what] of command.examples) inner.example(line, what);
    return inner
      .usage(`${usageOf(command)}\n\n${command.describe}`)
      .options({ ...command.options })
      .epilogue('');
  };
  parser.command(command.syntax, command.describe, build, (args) => chosen(command, args));
}
