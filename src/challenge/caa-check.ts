import { toAgentError } from '../core/errors.ts';
import { type CaaRecord, type CaaVerdict, caaFor, caaLine, judgeCaa } from '../core/order/caa.ts';
import type { Finding, PreflightQuestion } from '../core/ports.ts';

export interface CaaNeeds {
  readonly caa: {
    /** The relevant record set (RFC 8659 §3), and where it stands. Throws `dns.query`. */
    find(
      name: string,
      signal: AbortSignal,
    ): Promise<{ readonly owner: string; readonly records: readonly CaaRecord[] } | undefined>;
    /** The next look at the name is a fresh one. */
    forget(name: string): void;
  };
  /** What a CA says of itself, and our account there. */
  readonly ca: (issuer: string, signal: AbortSignal) => Promise<NonNullable<PreflightQuestion['ca']>>;
}

const code = 'challenge.caa';

/** Whether the CAA records of one name let the CA issue. Never rejects. */
export async function checkCaa(
  name: string,
  { issuer, ca, challenge }: PreflightQuestion,
  needs: CaaNeeds,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const { identities, account } = ca ?? (await needs.ca(issuer, signal));
    const set = await needs.caa.find(name, signal);
    if (set === undefined) return [fine(name, freedom(name, caaFor({ identities, account })))];
    const question = { identities, account, challenge, wildcard: name.startsWith('*.') };
    const verdict = judgeCaa(set.records, question);
    // Whoever mends the records must not wait for what we remember of them.
    if (verdict.says === 'no') needs.caa.forget(name);
    return [toFinding({ name, issuer, owner: set.owner }, verdict)];
  } catch (error) {
    const { message: reason, advice } = toAgentError(error);
    const message = `The CAA records of ${name} cannot be looked up: ${reason}. ${advice} A CA that cannot look them up either does not issue.`;
    return [{ name, level: 'warning', code, message }];
  }
}

function toFinding(
  { name, issuer, owner }: { readonly name: string; readonly issuer: string; readonly owner: string },
  verdict: CaaVerdict,
): Finding {
  if (verdict.says === 'yes') return fine(name, `The CAA records of ${owner} allow ${issuer}.`);
  const fact = `The CAA records of ${owner} ${verdict.reason}.`;
  if (verdict.says === 'unclear') return { name, level: 'warning', code, message: fact };
  const message = [fact, remedy(owner, verdict)].join(' ');
  return { name, level: 'stop', code, message };
}

function remedy(owner: string, { add, remove }: Extract<CaaVerdict, { says: 'no' }>): string {
  if (remove !== undefined) return `Remove: ${remove.map((record) => caaLine(owner, record)).join(' and ')}`;
  if (add !== undefined) return `To allow it, add: ${caaLine(owner, add)}`;
  return 'To allow it, add a record with the name that the CA gives in its documentation.';
}

function freedom(name: string, record: CaaRecord | undefined): string {
  const base = name.replace(/^\*\./, '');
  const free = `No CAA record restricts who may issue for ${name}.`;
  return record === undefined ? free : `${free} To allow this account alone, add: ${caaLine(base, record)}`;
}

function fine(name: string, message: string): Finding {
  return { name, level: 'fine', code, message };
}
