import type { VaultSession } from './session.ts';

/**
 * The session as a command sees it that only reads: where an entry of the log is damaged, by what all other entries tell (L6).
 * @throws IO
 */
export async function reading(session: VaultSession): Promise<VaultSession> {
  const vault = await session.vault.forReading();
  return vault === session.vault ? session : (Object.create(session, { vault: { value: vault } }) as VaultSession);
}
