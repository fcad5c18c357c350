import { type FileCall, recordFileCalls } from './call-faults.ts';
import { perform, type VaultAction } from './vault-action.ts';
import { type Facts, type Known, type Left, lookAt, whatIsLeft } from './vault-scene-checks.ts';
import { type Base, copyHome, removeHome, type VaultScene } from './vault-scenes.ts';

/** A scene that is ready to be played. */
export interface Stage {
  scene: VaultScene;
  /** In a home that is copied for each time. */
  action: VaultAction;
  known: Known;
  /** That change files, in order. */
  calls: FileCall[];
}

const NOTHING: Left = { gc: '', damage: [], names: [] };

/** Builds a scene, and plays it once with nobody in its way: what there is before and after, and the calls that it makes. */
export async function prepareStage(scene: VaultScene, base: Base, home: string): Promise<Stage> {
  const action = { home, command: await scene.build(base, home), seed: scene.title };
  const whole = `${home}-whole`;
  await copyHome(home, whole);
  const before = await lookAt(home, `${home}-judge`);
  const calls = await recordFileCalls(moved(action, home, whole), whole);
  if (calls.length < 10) throw new Error(`only ${calls.length} calls change files`);
  const after = await lookAt(whole, `${whole}-judge`);
  // What is damaged and was repaired is the only thing that stays.
  const left = action.command.do === 'repair' ? await whatIsLeft(whole) : NOTHING;
  const between = await factsBetween(action);
  for (const one of [whole, `${home}-judge`, `${whole}-judge`]) await removeHome(one);
  return {
    scene,
    action,
    known: { before, after, left, ...(between && { between }) },
    calls: calls.map((call) => moved(call, whole, home)),
  };
}

/** A forget that runs a gc commits both, one after the other. */
async function factsBetween({ home, command }: VaultAction): Promise<Facts | undefined> {
  if (command.do !== 'forget' || !command.gc) return undefined;
  const half = `${home}-half`;
  await copyHome(home, half);
  await perform({ home: half, command: { do: 'forget', refs: command.refs } });
  const facts = await lookAt(half, `${half}-judge`);
  for (const one of [half, `${half}-judge`]) await removeHome(one);
  return facts;
}

/** The same elsewhere. */
export function moved<T extends object>(value: T, from: string, to: string): T {
  return JSON.parse(JSON.stringify(value).replaceAll(from, to)) as T;
}
