/** Options that many commands share. Plain data: yargs reads it, and the types of the arguments are inferred from it. */

/** Of commands that read much. */
export const rateOptions = {
  'limit-rate': {
    type: 'string',
    requiresArg: true,
    describe:
      'Bytes per second to read at most, over all threads, as 50MB or 10MiB: of the disks, or of the data in the vault',
  },
} as const;

/** Of every command. */
export const outputOptions = {
  json: { type: 'boolean', group: 'Output:', describe: 'Write the result (or the error) as one JSON document' },
  quiet: { type: 'boolean', group: 'Output:', describe: 'No progress and no notes on standard error' },
} as const;

/** Of commands that run for long. */
export const progressOptions = {
  progress: {
    choices: ['auto', 'json', 'none'],
    default: 'auto',
    requiresArg: true,
    group: 'Output:',
    describe: 'Progress on standard error: bars at a terminal, or lines of JSON',
  },
} as const;

/** Of commands that read secrets. */
export const secretOptions = {
  'passphrase-file': {
    type: 'string',
    requiresArg: true,
    group: 'Vault:',
    describe: 'A file that holds the passphrase (VHDVAULT_PASSPHRASE_FILE, or VHDVAULT_PASSPHRASE itself)',
  },
  'key-file': {
    type: 'string',
    requiresArg: true,
    group: 'Vault:',
    describe: 'A key file instead of a passphrase (VHDVAULT_KEY_FILE)',
  },
} as const;

const placeOptions = {
  vault: {
    type: 'string',
    requiresArg: true,
    group: 'Vault:',
    describe: 'The vault: a folder (VHDVAULT_VAULT)',
  },
  cache: {
    type: 'string',
    requiresArg: true,
    group: 'Vault:',
    describe: 'The folder for the local cache (VHDVAULT_CACHE)',
  },
  threads: {
    type: 'string',
    requiresArg: true,
    group: 'Vault:',
    describe:
      'How many threads do the work; default: one per core. Reading, writing and start-up may take a third of a core beside one',
  },
} as const;

const rollbackOptions = {
  'accept-rollback': {
    type: 'boolean',
    group: 'Vault:',
    describe: 'Go on although the vault is older than it was last seen here',
  },
} as const;

/** Of commands that decide by the age of points, or make some. */
export const clockOptions = {
  'accept-clock': {
    type: 'boolean',
    group: 'Vault:',
    describe: 'Go on although the clock of this machine seems to be wrong by a day or more',
  },
} as const;

type NewVaultOptions = typeof outputOptions & typeof placeOptions & typeof secretOptions;

/** Of `init`, which makes a vault. */
export const newVaultOptions: NewVaultOptions = { ...placeOptions, ...secretOptions, ...outputOptions };

/** Of commands that open a vault. */
export const vaultOptions: NewVaultOptions & typeof rollbackOptions = { ...newVaultOptions, ...rollbackOptions };

type KeylessOptions = typeof outputOptions & Pick<typeof placeOptions, 'vault' | 'threads'>;

/** Of commands that read a vault without its key. */
export const keylessOptions: KeylessOptions = {
  vault: placeOptions.vault,
  threads: placeOptions.threads,
  ...outputOptions,
};

/** Of commands that read images. */
export const imageOptions = {
  'parent-root': {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'A folder in which parents of differencing images may lie, besides their own (repeat for more)',
  },
} as const;
