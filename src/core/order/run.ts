import type { AcmeSession, Ports } from '../ports.ts';
import type { Issuance } from '../types.ts';
import type { Begun, IssuanceNeeds, IssueRequest } from './issuance.ts';

export interface IssueNeeds extends IssuanceNeeds, Pick<Ports, 'acme'> {
  /** Called when an answer is waited for longer than a job may be held; the work goes on by itself until it is there. */
  readonly leave?: (() => void) | undefined;
}

/** One run of a job at an order. */
export interface Run {
  readonly request: IssueRequest;
  readonly session: AcmeSession;
  readonly needs: IssueNeeds;
  /** As last stored. */
  issuance: Issuance;
  /** As long as no order may have been made. */
  spentOnOrder: Begun['spentOnOrder'];
  /** Its key survives a loss of power. */
  keySafe: boolean;
  /** The account got another key in the middle of it; what was presented has been presented anew. */
  hasNewKey: boolean;
  /** The job is over. */
  hasLeft: boolean;
}

/** Under the lock of the lineage. */
export async function save(run: Run, next: Issuance, durable: boolean): Promise<void> {
  await run.needs.changes.commit({ fence: run.request.fence, putIssuance: next, durable });
  run.issuance = next;
  run.keySafe ||= durable;
}
