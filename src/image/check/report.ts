import type { VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';

/** What a rule has to say. */
export interface Fact {
  /** Of what is wrong, bytes from the start of the file. */
  at?: number;
  what: string;
  expected?: string | number;
  found?: string | number;
  cure?: string;
}

/** Where the rules put what they find in one file. Of a kind only the first are kept, and the rest counted. */
export interface Report {
  readonly path: string;
  add(severity: Finding['severity'], code: string, fact: Fact): void;
  /** What opening would refuse the image for. */
  refused(error: VhdvaultError): void;
  /** In the order in which they came, those of a kind together. */
  findings(): Finding[];
}

const MOST_ALIKE = 20;

/** `refusal`: why opening refuses the image. It is told once, by the rule that finds it too, or else before all. */
export function openReport(path: string, refusal: VhdvaultError | null = null): Report {
  const kinds = new Map<string, { findings: Finding[]; more: number }>();
  let untold = refusal && asFinding(refusal, path);
  const keep = (finding: Finding): void => {
    if (untold && isSame(untold, finding)) untold = null;
    const key = `${finding.severity} ${finding.code}`;
    const kind = kinds.get(key) ?? { findings: [], more: 0 };
    kinds.set(key, kind);
    if (kind.findings.length < MOST_ALIKE) kind.findings.push(finding);
    else kind.more++;
  };
  return {
    path,
    add: (severity, code, { at, what, expected, found, cure = '' }) => {
      keep({ severity, code, what, where: path, cure, ...defined({ offset: at, expected, found }) });
    },
    refused: (error) => keep(asFinding(error, path)),
    findings: () => {
      const all = [...kinds.values()].flatMap(({ findings, more }) => [...findings, ...theRest(findings, more)]);
      return untold ? [untold, ...all] : all;
    },
  };
}

function isSame(a: Finding, b: Finding): boolean {
  return a.severity === b.severity && a.code === b.code && a.offset === b.offset && a.where === b.where;
}

/** An error as the damage that it is, its path and place told by the finding. */
export function asFinding(error: VhdvaultError, path: string): Finding {
  const { details, code, message, hint = '' } = error;
  const where = typeof details.path === 'string' ? details.path : path;
  const offset = typeof details.offset === 'number' ? details.offset : undefined;
  const what = message.replace(`${where}: `, '').replace(` (at byte ${offset})`, '');
  const facts = { offset, expected: told(details.expected), found: told(details.found) };
  return { severity: 'damage', code, what, where, cure: hint, ...defined(facts) };
}

function told(value: unknown): string | number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

type Places = Pick<Finding, 'offset' | 'expected' | 'found'>;

function defined(facts: { [name in keyof Places]: Places[name] | undefined }): Places {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

function theRest([first]: readonly Finding[], more: number): Finding[] {
  if (!first || more === 0) return [];
  const { severity, code, where, cure } = first;
  return [{ severity, code, what: `and ${more} more of this kind`, where, cure }];
}
