import { VhdvaultError } from '../../base/errors.ts';
import { type Command, command } from '../command.ts';
import { openDisplay } from '../display.ts';
import { newVaultOptions } from '../options.ts';
import { parseSize } from '../parse-value.ts';
import { askSecret, findSecret, SECRETS } from '../secret.ts';
import { sessionOptions, vaultAddress } from '../session.ts';

export const initCommand: Command = command({
  syntax: 'init [address]',
  describe: 'Make a vault in an empty or new folder',
  examples: [
    ['vhdvault init /srv/vault --passphrase-file ~/vault.pass', 'An encrypted vault'],
    ['vhdvault init /srv/vault --block-size 1MiB --compression zstd', 'Larger blocks: a smaller index for huge disks'],
  ],
  positionals: { address: { type: 'string', describe: 'The folder; default: --vault or VHDVAULT_VAULT' } } as const,
  options: {
    ...newVaultOptions,
    'block-size': {
      type: 'string',
      requiresArg: true,
      describe: 'A power of two from 16KiB to 4MiB; default: 128KiB',
    },
    compression: { choices: ['lz4', 'zstd', 'none'], requiresArg: true, describe: 'Default: lz4' },
    unencrypted: { type: 'boolean', describe: 'Store everything readable by anyone who can read the folder' },
  } as const,
  run: async (args, run) => {
    if (args.unencrypted && (args['passphrase-file'] !== undefined || args['key-file'] !== undefined)) {
      throw new VhdvaultError('USAGE', '--unencrypted and a passphrase or key file exclude each other', {
        hint: 'leave one of them out',
      });
    }
    // Every later command would take it, and refuse: a passphrase for an unencrypted vault is an error (E4).
    const set = args.unencrypted && SECRETS.find((name) => run.env[name]);
    if (set) {
      throw new VhdvaultError('USAGE', `--unencrypted was given, and ${set} is set`, {
        hint: `leave --unencrypted out, or unset ${set}: with it, no command opens a vault that is not encrypted`,
      });
    }
    if (args.address !== undefined && args.vault !== undefined) {
      throw new VhdvaultError('USAGE', `the vault is named twice: ${args.address} and --vault ${args.vault}`, {
        hint: 'leave one of them out',
      });
    }
    const address = vaultAddress(args.address ?? args.vault, run);
    using display = await openDisplay(args, run);
    const options = sessionOptions(args, run, display.onNotice);
    const blockSize =
      args['block-size'] === undefined ? {} : { blockSize: parseSize('--block-size', args['block-size']) };
    const compression = args.compression === undefined ? {} : { compression: args.compression };
    const protection = args.unencrypted
      ? { unencrypted: true }
      : ((await findSecret(args, run)) ?? (await askSecret(run, true)));
    const { createVault } = await import('../../jobs/session.ts');
    const { initText } = await import('../../report/init-text.ts');
    const result = await createVault(address, { ...options, ...blockSize, ...compression, ...protection });
    return { result, text: (look) => initText(result, look) };
  },
});
