import { type Command, command } from '../command.ts';
import { outputOptions } from '../options.ts';

export const completionCommand: Command = command({
  syntax: 'completion',
  describe: 'Print a completion script for the shell that SHELL names',
  examples: [['vhdvault completion >> ~/.bashrc', 'Complete commands and options in new shells']],
  positionals: {},
  options: outputOptions,
  run: async () => {
    const { completionScript } = await import('../parse-arguments.ts');
    const script = completionScript();
    return { result: { script }, text: () => script };
  },
});
