import { toAgentError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { readShown } from '../shown.ts';
import type { AskRefusal, Settings } from '../types.ts';
import type { ReconcileNeeds } from '../wishes/reconcile.ts';
import { isAllowed } from './patterns.ts';
import { refuserAt } from './refusal.ts';
import { takeIn } from './take-in.ts';

export type ConsiderNeeds = ReconcileNeeds &
  Pick<Ports, 'bindings' | 'hostAsks' | 'hostPermission' | 'buckets' | 'log'> & {
    readonly settings: () => Settings;
    /** The name under its public suffix. */
    registeredDomain(name: string): string;
  };

/** taken: it is a host now · known: nothing is to be done · busy: too much is asked for at once, later perhaps. */
export type Outcome = 'taken' | 'known' | 'notAllowed' | 'refused' | 'busy';

const minute = 60_000;
const lockMs = 60_000;
const deniedMs = 10 * minute;
const unansweredMs = minute;

/** Hosts that all agents look at; each may cost the platform a question. Made-up names of one domain do not keep out the others. */
const looks = { key: 'on-demand:looks', capacity: 50, perSecond: 10, cost: 1 };
const looksUnderDomain = { capacity: 20, perSecond: 2, cost: 1 };

/**
 * A client asked for a host that nothing is held for: makes it one of ours where the file allows it, the platform permits it and
 * the quotas leave room, else remembers why not. However many tell of it at once, one agent looks at it. `name` is in its one
 * written form.
 */
export async function considerHost(
  name: string,
  needs: ConsiderNeeds,
  signal: AbortSignal,
): Promise<Outcome> {
  const rules = needs.settings().onDemand;
  if (rules === undefined || !isAllowed(name, rules.allow)) return 'notAllowed';
  if (await isSettled(name, needs)) return 'known';
  const lock = await needs.locks.tryAcquire(`asked:${name}`, lockMs);
  if (lock === undefined) return 'known';
  try {
    // Whoever had the lock before may have settled it.
    if (await isSettled(name, needs)) return 'known';
    const key = `on-demand:looks:${needs.registeredDomain(name)}`;
    const { taken } = await needs.buckets.take([looks, { key, ...looksUnderDomain }], needs.clock.now());
    if (!taken) return 'busy';
    const denied = rules.asksPermission ? await askPermission(name, needs, signal) : undefined;
    const refusal = denied ?? (await takeIn(name, rules, needs));
    if (refusal === undefined) return 'taken';
    needs.log.info(
      { host: name, reason: refusal.message, until: refusal.until },
      'a host that was asked for is refused',
    );
    await needs.hostAsks.refuse(name, refusal);
    return 'refused';
  } finally {
    await lock.release();
  }
}

/** It is a host, it was refused a while ago, or something is held for it. */
async function isSettled(name: string, needs: ConsiderNeeds): Promise<boolean> {
  const [refusal, host] = await Promise.all([needs.hostAsks.refusalOf(name), needs.wishes.host(name)]);
  if (refusal !== undefined || host !== undefined) return true;
  const { certificates } = await readShown({ name, now: needs.clock.now() }, needs);
  return certificates.some(({ source }) => source !== 'self-signed');
}

/** undefined: it is permitted. */
async function askPermission(
  name: string,
  { hostPermission, clock }: ConsiderNeeds,
  signal: AbortSignal,
): Promise<AskRefusal | undefined> {
  const refuse = refuserAt(clock);
  try {
    const status = await hostPermission.ask(name, signal);
    if (status >= 200 && status < 300) return undefined;
    if (status < 500)
      return refuse('permission', `the platform does not permit it: it answered ${status}`, deniedMs);
    return refuse(
      'unanswered',
      `the platform could not say whether it permits it: it answered ${status}`,
      unansweredMs,
    );
  } catch (error) {
    signal.throwIfAborted();
    const { message } = toAgentError(error);
    return refuse(
      'unanswered',
      `the platform could not be asked whether it permits it: ${message}`,
      unansweredMs,
    );
  }
}
