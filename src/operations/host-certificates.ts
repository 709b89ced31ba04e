import { type Showable, showable } from '../core/deploy/showing.ts';
import { parentOf } from '../core/names.ts';
import { bindingPatterns, choose } from '../core/precedence.ts';
import type { Host } from '../core/types.ts';
import { type CertificateRow, overview } from './certificates.ts';
import type { OperationNeeds } from './define.ts';

/** What is shown for each host, by the one order of precedence. */
export async function certificateFinder(
  domain: string | undefined,
  needs: OperationNeeds,
): Promise<(host: Pick<Host, 'name' | 'domain'>) => CertificateRow | undefined> {
  const bindings = await needs.bindings.all();
  // What is bound may be of any domain.
  const rows = await overview(bindings.length === 0 ? domain : undefined, needs);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const pending = pendingByName(rows);
  const bound = new Map(bindings.map(({ name, lineages }) => [name, lineages]));
  const { byName, candidates } = await candidatesOf(rows, needs);
  const now = needs.clock.now();
  return ({ name, domain }) => {
    const patterns = bindingPatterns(name);
    const ids = patterns.flatMap((pattern) => bound.get(pattern) ?? []);
    const found = [
      ...[name, `*.${parentOf(name)}`].flatMap((one) => byName.get(one) ?? []),
      ...ids.flatMap((id) => candidates.get(id) ?? []),
    ];
    const choice = choose({ names: [name], domain, bindings: bound, candidates: [...new Set(found)], now });
    const held = choice && byId.get(choice.candidate.certificate.lineage);
    return held ?? pending.get(name) ?? pending.get(`*.${parentOf(name)}`);
  };
}

/** By each name of theirs, and by id; only those that hold a certificate. */
async function candidatesOf(
  rows: readonly CertificateRow[],
  { certificates, renewals }: OperationNeeds,
): Promise<{ byName: ReadonlyMap<string, readonly Showable[]>; candidates: ReadonlyMap<string, Showable> }> {
  const ids = rows.map(({ id }) => id);
  const [currents, states] = await Promise.all([certificates.currents(ids), renewals.many(ids)]);
  const byName = new Map<string, Showable[]>();
  const candidates = new Map<string, Showable>();
  for (const [index, { id, domain }] of rows.entries()) {
    const one = showable(currents[index], { domain, revokedAt: states[index]?.revokedAt });
    if (one === undefined) continue;
    candidates.set(id, one);
    for (const name of one.certificate.names) byName.set(name, [...(byName.get(name) ?? []), one]);
  }
  return { byName, candidates };
}

/** Ordered, and not there yet. */
function pendingByName(rows: readonly CertificateRow[]): ReadonlyMap<string, CertificateRow> {
  const pending = rows.filter(({ expiresAt }) => expiresAt === undefined);
  return new Map(pending.flatMap((row) => row.names.map((name) => [name, row] as const)));
}
