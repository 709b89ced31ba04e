import type { AgentError } from '../errors.ts';
import { isStopped } from '../order/preflight.ts';
import type { Ports } from '../ports.ts';
import type { Issuance, LimitName } from '../types.ts';
import { verdictsIn } from '../verdict.ts';
import type { Chosen } from './issuer-choice.ts';

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
  const failed = verdictsIn(error, ordered).filter(({ code }) => code.startsWith('challenge.'));
  const names = failed.map(({ name }) => name);
  if (names.length > 0 && !isStopped(error)) await budget.validationFailed(issuer, names);
  if (error.facts.status !== 429 && error.facts.status !== 503) return;
  const isUnderWay = open?.orderUrl !== undefined;
  const exempt = error.facts.exempt as readonly LimitName[] | undefined;
  await budget.learn({ issuer, names: ordered, isUnderWay, exempt }, error);
}
