import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

/** Tells whether a program is on the PATH. */
function hasTool(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * A second opinion by another program. Where the program is missing the tests are skipped and say so; where CI=true they
 * fail, so that a badly installed build machine cannot pass by judging nothing.
 */
export function describeWithTool(tool: string, title: string, tests: () => void): void {
  describeIf(hasTool(tool), `${tool} is not installed`, title, tests);
}

/** The same for anything else that can be installed. */
export function describeIf(condition: boolean, otherwise: string, title: string, tests: () => void): void {
  if (condition || process.env.CI !== 'true') describeWhere(condition, otherwise, title, tests);
  else {
    describe(title, () => {
      it(`can be judged, but ${otherwise}`, () => {
        throw new Error(`${otherwise}, and CI=true`);
      });
    });
  }
}

/**
 * For what nobody can install: rights that the kernel gives (mounts, loop devices), which a container may lack, and what kind of
 * system this is. There the tests are skipped and say so, everywhere.
 */
export function describeWhere(condition: boolean, otherwise: string, title: string, tests: () => void): void {
  if (condition) {
    describe(title, tests);
    return;
  }
  // The reporter is silent about what is skipped.
  process.stderr.write(`SKIPPED: ${title}: ${otherwise}\n`);
  describe.skip(title, tests);
}

/** Runs a program and returns what it prints. */
export function runTool(tool: string, ...args: string[]): string {
  return execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 });
}
