import { describe, expect, it } from 'vitest';
import { type Export, readDoors } from './support/doors.ts';

const VAULT = 'src/index.ts';
const PARSER = 'src/image/vhd-parser.ts';
const doors = readDoors([VAULT, PARSER]);
const namesOf = (exports: readonly { name: string }[]): string[] => exports.map(({ name }) => name);
const membersWhere = (exports: readonly Export[], wrong: (member: Export['members'][number]) => boolean): string[] =>
  exports.flatMap(({ name, members }) => members.filter(wrong).map((member) => `${name}.${member.name}`));

describe.each([...doors])('the door %s', (_, exports) => {
  const functions = exports.filter(({ kind }) => kind === 'function');
  const waiting = functions.filter(({ waits }) => waits !== 'no');

  it('explains everything that it exports, and every field of it', () => {
    expect(namesOf(functions)).toContain('openDisk');
    expect(namesOf(exports.filter(({ documented }) => !documented))).toEqual([]);
    expect(membersWhere(exports, ({ documented }) => !documented)).toEqual([]);
  });

  it('tells which errors every function throws that waits', () => {
    expect(namesOf(waiting.filter(({ throws }) => !throws))).toEqual([]);
  });

  it('has nothing to wait for that cannot be cancelled', () => {
    expect(namesOf(waiting)).toContain('convertImage');
    expect(namesOf(waiting.filter(({ waits }) => waits === 'until done'))).toEqual([]);
    expect(membersWhere(exports, ({ waits }) => waits === 'until done')).toEqual([]);
    expect(membersWhere(exports, ({ waits }) => waits !== 'no')).toContain('Disk.read');
  });
});

describe('the vault', () => {
  it('is a door to the parser too', () => {
    expect(namesOf(doors.get(VAULT)!)).toEqual(expect.arrayContaining(namesOf(doors.get(PARSER)!)));
  });
});
