import type { CatalogPoint } from '../point/catalog.ts';
import { FORGOTTEN, HEAL, REBUILD_OR_HEAL, REPAIR } from './cures.ts';
import type { PointFinding } from './findings.ts';

/** Tells which of the points that findings name are forgotten already: to forget them is no cure. */
export function markForgotten(findings: readonly PointFinding[], points: readonly CatalogPoint[]): void {
  const gone = new Set(
    points.filter(({ logged }) => logged.forgotten).map(({ id, manifest }) => `${manifest.item}@${id}`),
  );
  for (const finding of findings) {
    finding.forgotten = finding.points.filter((point) => gone.has(point));
    if (finding.forgotten.length > 0) finding.cure = cureWith(finding);
  }
}

function cureWith({ cure, points, forgotten }: PointFinding): string {
  if (cure === HEAL && forgotten.length === points.length) return FORGOTTEN;
  return [HEAL, REPAIR, REBUILD_OR_HEAL].includes(cure) ? `${cure}; ${FORGOTTEN}` : cure;
}
