import { parseSpan } from './parse-value.ts';

/** How long a gc waits, for whoever runs one. */
export const gcSpanOptions = {
  'soft-delete': {
    type: 'string',
    requiresArg: true,
    describe: 'How long gc lets a forgotten point be brought back; default 14d',
  },
  grace: {
    type: 'string',
    requiresArg: true,
    describe:
      'How long what gc gave up stays for who reads it now, and an interrupted backup for the next run; default 24h',
  },
} as const;

/** In milliseconds, those that were given. @throws USAGE */
export function gcSpans(args: { readonly [Name in keyof typeof gcSpanOptions]?: string | undefined }): {
  softDelete?: number;
  grace?: number;
} {
  const { 'soft-delete': softDelete, grace } = args;
  return {
    ...(softDelete !== undefined && { softDelete: parseSpan('--soft-delete', softDelete) }),
    ...(grace !== undefined && { grace: parseSpan('--grace', grace) }),
  };
}
