const two = (n: number): string => String(n).padStart(2, '0');

/** `2026-11-22 16:05`, in local time. */
export function momentText(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${dayText(time)} ${clockText(time)}`;
}

/** As `momentText`, but without the date where it is today's. */
export function recentText(iso: string, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return dayText(time) === dayText(new Date(now)) ? clockText(time) : momentText(iso);
}

function dayText(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

function clockText(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}`;
}
