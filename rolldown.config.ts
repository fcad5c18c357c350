import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin, RolldownOptions } from 'rolldown';

/*
 * The program and the files of its workers as they are published, over what tsc made of them: each file that a process opens at
 * its start costs most of a millisecond, and the package that measures text for the help of yargs costs thirty. The rest of
 * dist/ stays as tsc made it.
 */
const common: RolldownOptions = {
  platform: 'node',
  external: ['piscina', 'lz4-napi', '@napi-rs/blake-hash', 'cli-progress'],
  resolve: { alias: { 'string-width': 'fast-string-width' } },
};
const workers = readdirSync('workers').map((name) => name.replace(/\.ts$/, ''));

/** The terms of the packages whose code is in the bundle. */
const licences: Plugin = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
    const texts = [...new Set(folders)].sort().map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
        string,
        string
      >;
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${folder} has no licence`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
    });
    this.emitFile({ type: 'asset', fileName: 'LICENCES.txt', source: texts.join(`\n${'-'.repeat(80)}\n`) });
  },
};

const options: RolldownOptions[] = [
  {
    ...common,
    plugins: [licences],
    input: { bin: 'src/cli/bin.ts' },
    output: {
      // As deep as src/pool/, from where the files of the workers are found.
      ...{ dir: 'dist/src/cli', entryFileNames: '[name].js', chunkFileNames: '[name].js', cleanDir: true },
      // What every command on a vault needs, in one file.
      codeSplitting: { groups: [{ name: 'open', test: /jobs.session/, includeDependenciesRecursively: true }] },
    },
  },
  ...workers.map((name) => ({
    ...common,
    input: `workers/${name}.ts`,
    output: { file: `dist/workers/${name}.js`, codeSplitting: false },
  })),
];

export default options;
