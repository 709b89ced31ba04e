import { type Conformance, type Point, points } from '../contract/points.ts';
import { renderTable } from './provider-docs.ts';

/** What a run says of one provider. */
export interface MatrixRow {
  readonly provider: string;
  /** In the order of the points: ✓ holds, – does not apply, ✗ does not hold, ? was not run. */
  readonly marks: readonly string[];
  /** Why points do not apply, by number. */
  readonly reasons: readonly string[];
}

export interface TestVerdict {
  readonly conformance: Conformance;
  readonly passed: boolean;
}

const heading = '## Conformance';

/** Providers that are held to the points more than once, at other servers or with other credentials: names of those rows. */
const otherRows: Readonly<Record<string, readonly string[]>> = {
  godaddy: ['godaddy with a classic key'],
  rfc2136: ['rfc2136 on Knot', 'rfc2136 on PowerDNS'],
  powerdns: ['powerdns on PowerDNS'],
};

/** The rows of these providers, in order. */
export function rowNames(providers: readonly string[]): readonly string[] {
  return providers.flatMap((name) => [name, ...(otherRows[name] ?? [])]);
}

const numbers = Object.keys(points).map(Number) as readonly Point[];

/** A point holds if all of its tests passed; it does not apply if all of them said so. */
export function rowsOf(verdicts: readonly TestVerdict[]): readonly MatrixRow[] {
  const names = [...new Set(verdicts.map(({ conformance }) => conformance.provider))];
  return names.map((provider) => {
    const own = verdicts.filter(({ conformance }) => conformance.provider === provider);
    const at = (point: Point) => own.filter(({ conformance }) => conformance.point === point);
    return {
      provider,
      marks: numbers.map((point) => markOf(at(point))),
      reasons: numbers.flatMap((point) => reasonOf(point, at(point))),
    };
  });
}

/** The section of the matrix; rows of providers that are not in `fresh` stay as they are in `before`. */
export function renderMatrix(before: string, fresh: readonly MatrixRow[], order: readonly string[]): string {
  const known = readMatrix(before);
  const rows = order.flatMap((name) => [...fresh, ...known].find(({ provider }) => provider === name) ?? []);
  const legend = numbers.map((point) => `${point}. ${points[point]}`);
  const table = renderTable([
    ['provider', ...numbers.map(String)],
    ...rows.map(({ provider, marks }) => [`\`${provider}\``, ...marks]),
  ]);
  const reasons = rows.flatMap(({ provider, reasons: own }) =>
    own.map((reason) => `- \`${provider}\` ${reason}`),
  );
  return [
    heading,
    'Written by `npm run conformance`: every provider against a stand-in for its vendor that keeps state, or a real server. ✓ holds, – does not apply (see below).',
    legend.join('\n'),
    table,
    ...(reasons.length === 0 ? [] : ['What does not apply, and why:', reasons.join('\n')]),
  ].join('\n\n');
}

/** The section as it stands in the file; empty: there is none yet. */
export function matrixIn(readme: string): string {
  const start = readme.indexOf(heading);
  return start < 0 ? '' : readme.slice(start).trimEnd();
}

export function readMatrix(section: string): readonly MatrixRow[] {
  return [...section.matchAll(/^\| `([^`]+)` *\|(.*)\|$/gm)].map(([, provider = '', cells = '']) => ({
    provider,
    marks: cells.split('|').map((cell) => cell.trim()),
    reasons: [...section.matchAll(/^- `([^`]+)` (\d+: .*)$/gm)].flatMap(([, name, reason = '']) =>
      name === provider ? [reason] : [],
    ),
  }));
}

function markOf(verdicts: readonly TestVerdict[]): string {
  if (verdicts.length === 0) return '?';
  if (verdicts.some(({ passed }) => !passed)) return '✗';
  return verdicts.every(({ conformance }) => conformance.notApplicable !== undefined) ? '–' : '✓';
}

function reasonOf(point: Point, verdicts: readonly TestVerdict[]): string[] {
  const reasons = [...new Set(verdicts.flatMap(({ conformance }) => conformance.notApplicable ?? []))];
  if (reasons.length === 0) return [];
  const partly = markOf(verdicts) === '–' ? '' : 'in part, ';
  return [`${point}: ${partly}${reasons.join('; ')}`];
}
