import { AT_ONCE, type GcScene, gcScene, idOf } from './gc-scene.ts';

/** A vault with entries of all types that matter for what restores. */
export async function longHistory(folder: string): Promise<GcScene> {
  const scene = await gcScene(folder);
  const gone = await scene.save('web', 'abcdefghijklmnop');
  const other = await scene.save('web', 'abYZQRST        ');
  await scene.save('web', 'abXZ            ');
  for (const letter of '123456') await scene.save('db', `${letter}q`);
  await scene.forget(gone, other);
  await scene.unforget(other);
  await scene.commit({ type: 'pin', point: idOf(other), until: Number.MAX_SAFE_INTEGER });
  await scene.gc({ ...AT_ONCE, grace: 1000 });
  await scene.save('web', 'abXZ       UVW  ');
  await scene.commit({ type: 'pin', point: idOf(other), until: 0 });
  await scene.forget(other, ...[...scene.disks.keys()].filter((ref) => ref.startsWith('db')).slice(0, 3));
  await scene.gc();
  await scene.save('web', 'aXZcd      UVW  ');
  await scene.save('db', '5q7');
  return scene;
}
