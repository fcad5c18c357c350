/** What writes and reads: kept in every log entry, so that a fault can be traced to a version. */
export const TOOL = 'vhdvault 0.1.0';
export const VERSION = '0.1.0';
