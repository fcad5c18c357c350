/** Root may do everything, so there this is done as nobody. */
export async function asUser<T>(what: () => Promise<T>): Promise<T> {
  if (process.geteuid!() !== 0) return await what();
  process.seteuid!(65534);
  try {
    return await what();
  } finally {
    process.seteuid!(0);
  }
}
