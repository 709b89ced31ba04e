import type { AgentError } from '../errors.ts';
import { isStopped } from '../order/preflight.ts';
import type { Ports } from '../ports.ts';
import type { Issuance, LimitName } from '../types.ts';
import type { Chosen } from './issuer-choice.ts';
import { blamed } from './left-out.ts';

/** An attempt that failed. */
export interface Blow extends Chosen {
  readonly error: AgentError;
  /** Names of the order. */
  readonly ordered: readonly string[];
}

/** `open`: the order under way since. Verdicts on names, and limits that we ran into, count in the ledger of the CA's limits. */
export async function teachBudget(
  { error, issuer, ordered }: Blow,
  open: Issuance | undefined,
  { budget }: Pick<Ports, 'budget'>,
): Promise<void> {
  const names = Object.keys(blamed(error)).filter((name) => ordered.includes(name));
  const isVerdict = error.code.startsWith('challenge.') && !isStopped(error);
  if (isVerdict && names.length > 0) await budget.validationFailed(issuer, names);
  if (error.facts.status !== 429 && error.facts.status !== 503) return;
  const isUnderWay = open?.orderUrl !== undefined;
  const exempt = error.facts.exempt as readonly LimitName[] | undefined;
  await budget.learn({ issuer, names: ordered, isUnderWay, exempt }, error);
}
