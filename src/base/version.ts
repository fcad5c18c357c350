/** The version of package.json (a test holds them together). */
export const VERSION = '0.1.0';

/** What writes: kept in every log entry, so that a fault can be traced to a version. */
export const TOOL: string = `vhdvault ${VERSION}`;
