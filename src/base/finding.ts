/** One thing that a check noticed. Checks return findings; they do not throw. */
export interface Finding {
  /** info: good to know; warning: act on it before it becomes damage; damage: something is lost or unreadable. */
  severity: 'info' | 'warning' | 'damage';
  /** A stable word for programs, as `VHD_FOOTER_COPY_USED`. */
  code: string;
  /** What is so, with the values. */
  what: string;
  /** File, object or byte offset. */
  where: string;
  /** What to do about it; empty where nothing needs doing. */
  cure: string;
  /** Of what is wrong, bytes from the start of the file. */
  offset?: number;
  /** What the rule asks for. */
  expected?: string | number;
  /** What is there instead. */
  found?: string | number;
}
