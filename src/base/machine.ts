import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';

/** Names this start of this machine: another one after every reboot. Empty where the system tells none. */
export async function bootId(): Promise<string> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return text.trim();
}

/** Milliseconds since the machine started; unlike the wall clock nobody can set it. */
export function sinceBoot(): number {
  return uptime() * 1000;
}
