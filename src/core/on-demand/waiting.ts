import type { Ports } from '../ports.ts';
import { readShown } from '../shown.ts';
import type { Host, Instant } from '../types.ts';
import { changeWishes, type ReconcileNeeds, type StoredWish, type WishEdit } from '../wishes/reconcile.ts';
import { refuserAt } from './refusal.ts';

/** Name of the chore that gives up. */
export const waitingHostsChore = 'waiting-hosts';

type Needs = ReconcileNeeds & Pick<Ports, 'bindings' | 'hostAsks' | 'log'>;

/** The ladder of its first order has had its quick steps by then, and reminders have not begun. */
const patienceMs = 22 * 3_600_000;
const givenUpMs = 24 * 3_600_000;
/** It stands there before its host does. */
const graceMs = 60_000;

/** How many hosts wait for their first certificate; those that have it are counted out once there seem to be `most`. */
export async function countWaiting(most: number, needs: Needs): Promise<number> {
  const waiting = await needs.hostAsks.waiting();
  if (waiting.length < most) return waiting.length;
  return waiting.length - (await dropSettled(waiting, needs));
}

/**
 * Gives up what never got a certificate: whoever asked for it may not have it, and nobody is to be reminded of it. A host
 * that somebody added by command stays.
 */
export async function giveUpWaiting(needs: Needs): Promise<void> {
  const { hostAsks, clock, log } = needs;
  await dropSettled(await hostAsks.waiting(), needs);
  const late = (await hostAsks.waiting()).filter(({ since }) => since + patienceMs <= clock.now());
  for (const { name } of late) {
    const host = await needs.wishes.host(name);
    if (host?.onDemand !== undefined) {
      await removeHost(host, needs);
      const message = 'no certificate could be had for it within a day';
      await hostAsks.refuse(name, refuserAt(clock)('givenUp', message, givenUpMs));
      log.info({ host: name }, 'a host that was asked for is given up: it got no certificate');
    }
    await hostAsks.dropWaiting([name]);
  }
}

/** Those with a trusted certificate, and those that are no hosts any more. Resolves with how many. */
async function dropSettled(
  waiting: readonly { readonly name: string; readonly since: Instant }[],
  needs: Needs,
): Promise<number> {
  const settled: string[] = [];
  for (const { name, since } of waiting) {
    const now = needs.clock.now();
    const isGone = (await needs.wishes.host(name)) === undefined && since + graceMs <= now;
    if (isGone || (await isServed(name, needs))) settled.push(name);
  }
  await needs.hostAsks.dropWaiting(settled);
  return settled.length;
}

async function isServed(name: string, needs: Needs): Promise<boolean> {
  const { certificates } = await readShown({ name, now: needs.clock.now() }, needs);
  return certificates.some(({ source }) => source !== 'self-signed');
}

/** With the domain that was made for it, unless it has others by now. */
async function removeHost(host: Host, needs: Needs): Promise<void> {
  const { name, domain } = host;
  const edit = ({ hosts, groups }: StoredWish): WishEdit => {
    const isAlone = groups.length === 0 && hosts.every((one) => one.name === name);
    const facts = { change: 'removed', host: name, requestedBy: 'on-demand' };
    return {
      removeHosts: [host],
      removeDomain: host.onDemand?.madeDomain === true && isAlone,
      events: [{ type: 'host.changed', domain, facts }],
    };
  };
  await changeWishes(domain, edit, needs);
}
