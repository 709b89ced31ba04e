import { AgentError, isAgentError } from '../errors.ts';
import { sameNames } from '../names.ts';
import type { Admission, Ports } from '../ports.ts';
import { limitText } from '../renewal/limit-words.ts';
import type { Instant, Issuance } from '../types.ts';
import type { IssueRequest } from './issuance.ts';

type RoomNeeds = Pick<Ports, 'budget'>;

/** What the ledger took for an order. */
export type Spent = Pick<
  Admission & { readonly admitted: true },
  'spent' | 'spentOnOrder' | 'exempt' | 'isProbe'
>;

/**
 * Throws as long as the CA asked to be left alone, before it is asked for a session or about the order under way. A new
 * order hears of that at its admission, and so does an urgent one, of which it lets one through a day.
 */
export async function leaveAlone(
  { issuer, open, urgent }: IssueRequest,
  { budget, acme }: RoomNeeds & Pick<Ports, 'acme'>,
): Promise<void> {
  if (urgent || (open === undefined && acme.hasSession(issuer))) return;
  const hold = await budget.hold(issuer, open?.issuer === issuer && open.orderUrl !== undefined);
  if (hold === undefined) return;
  throw noRoom(issuer, limitText(hold), hold.readyAt);
}

/** Throws `acme.rateLimited` where the limits of the CA have no room for the order. */
export async function admitted(
  { names, predecessor, urgent }: IssueRequest,
  { isAdvised, issuer }: { readonly isAdvised: boolean; readonly issuer: string },
  { budget }: RoomNeeds,
): Promise<Spent> {
  const isSame = predecessor?.issuer === issuer && sameNames(predecessor.names, names);
  const lastIssuedAt = isSame ? predecessor.issuedAt : undefined;
  const admission = await budget.admit({ issuer, names, isAdvised, lastIssuedAt, urgent });
  if (!admission.admitted) throw noRoom(issuer, admission.limit, admission.readyAt);
  const { admitted: _, ...taken } = admission;
  return taken;
}

function noRoom(issuer: string, limit: string, retryAt: Instant): AgentError {
  return new AgentError('acme.rateLimited', `${issuer}: no room for another order now: ${limit}`, {
    retryAt,
    facts: { budget: limit },
  });
}

/** What our ledger knew of an order that met a limit. One that it foresaw is a wait, as if it had not been sent. */
export function ofLimit(error: AgentError, { exempt, isProbe }: Issuance): AgentError {
  const { code, message, retryAt, facts } = error;
  const known = { ...facts, exempt, ...(isProbe === true && { budget: true }) };
  return new AgentError(code, message, { retryAt, facts: known, cause: error });
}

/**
 * A CA counts the orders that it made, and it made none where it refuses the only request for it with a problem of its own
 * (RFC 8555 §7.4): what the request cost is given back. Kept where something else may have answered, after its own faults
 * (5xx), and of a limit (429), of which its answer teaches more.
 */
export function isUncounted(error: unknown): boolean {
  if (!isAgentError(error)) return false;
  const { status, problem } = error.facts;
  const isRefused = typeof status === 'number' && status >= 400 && status < 500 && status !== 429;
  return isRefused && problem !== undefined;
}
