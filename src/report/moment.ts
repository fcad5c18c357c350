const two = (n: number): string => String(n).padStart(2, '0');

/** `2026-11-22 16:05`, in local time, or in that of a zone (IANA). */
export function momentText(iso: string, zone?: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return zone === undefined ? `${dayText(time)} ${clockText(time)}` : zoneText(time, zone);
}

/** As `momentText`, but without the date where it is today's. */
export function recentText(iso: string, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return dayText(time) === dayText(new Date(now)) ? clockText(time) : momentText(iso);
}

/** Sweden writes times like that. */
function zoneText(time: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(time);
}

function dayText(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

function clockText(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}`;
}
