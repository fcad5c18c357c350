import { resolve } from 'node:path';
import type { DiffReport } from '../../report/diff-text.ts';
import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, vaultOptions } from '../options.ts';

const REF = 'ITEM, ITEM@latest, ITEM@ID (or the beginning of an id) or ITEM@TIME (YYYY-MM-DD[Thh:mm[:ss][Z]])';

export const diffCommand: Command = command({
  syntax: 'diff <from> <to>',
  describe: 'Tell which blocks differ between two recovery points',
  examples: [
    ['vhdvault diff web01@2026-11-20 web01', 'What changed since that day'],
    ['vhdvault diff web01@p7e2 web01@p9c1 --disk os --svg os.svg', 'With a picture of where'],
    ['vhdvault diff web01 web02 --json', 'Two machines, ranges in bytes'],
  ],
  positionals: {
    from: { type: 'string', demandOption: true, describe: `The first point: ${REF}` },
    to: { type: 'string', demandOption: true, describe: 'The second point, of the same or another item' },
  } as const,
  options: {
    disk: { type: 'string', requiresArg: true, describe: 'Only the disk of this name' },
    svg: { type: 'string', requiresArg: true, describe: 'Draw it, into this file' },
    force: { type: 'boolean', describe: 'Overwrite the file of --svg' },
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const { diffText } = await import('../../report/diff-text.ts');
    const { diffSvg, PICTURE_CELLS } = await import('../../report/diff-svg.ts');
    const { checkPicture, writePicture } = await import('../picture.ts');
    const svg = args.svg === undefined ? undefined : resolve(run.cwd, args.svg);
    const force = args.force ?? false;
    if (svg !== undefined) await checkPicture(svg, force);
    const found = await inVault(
      args,
      run,
      { load: () => import('../../jobs/diff-job.ts') },
      ({ diff }, session, watch) =>
        diff(session, args.from, args.to, {
          ...watch,
          ...(args.disk === undefined ? {} : { disk: args.disk }),
          ...(svg === undefined ? {} : { cells: PICTURE_CELLS }),
        }),
    );
    if (svg !== undefined) await writePicture(svg, diffSvg(found), force);
    // The cells are the picture's own business.
    const disks = found.disks.map(({ picture, ...disk }) => disk);
    const result: DiffReport = { ...found, disks, ...(svg !== undefined && { svg }) };
    return { result, text: (look) => diffText(result, look) };
  },
});
