import { AgentError, isAgentError } from '../errors.ts';
import { acquireInTime } from '../locks.ts';
import { periodText } from '../renewal/limit-words.ts';
import type { AskRefusal, BucketTake, Domain, Host, OnDemandSettings } from '../types.ts';
import { checkDomain } from '../wishes/domain-rules.ts';
import { resolveDomain } from '../wishes/domain-wish.ts';
import { changeWishes, type StoredWish, type WishEdit } from '../wishes/reconcile.ts';
import type { ConsiderNeeds } from './consider.ts';
import { refuserAt } from './refusal.ts';
import { countWaiting } from './waiting.ts';

const minute = 60_000;
const longestMs = 60 * minute;
const fullMs = minute;
const domainMs = 10 * minute;
const lockMs = 30_000;

/**
 * Makes it a host of the domain that it lies under, or of one of its own, and wakes its first order. Those of all agents come one after
 * the other, so that the number of those waiting holds. Resolves with why not, or undefined.
 */
export async function takeIn(
  name: string,
  rules: OnDemandSettings,
  needs: ConsiderNeeds,
): Promise<AskRefusal | undefined> {
  const { wishes, buckets, clock, log } = needs;
  const refuse = refuserAt(clock);
  const wait = { name: 'on-demand', ttlMs: lockMs, waitMs: lockMs, busy: 'taking in other hosts' };
  const lock = await acquireInTime(wait, needs);
  try {
    if ((await countWaiting(rules.mostWaiting, needs)) >= rules.mostWaiting)
      return refuse(
        'waiting',
        `${rules.mostWaiting} hosts that clients asked for have no certificate yet (onDemand.waiting)`,
        fullMs,
      );
    const domain = await wishes.domainOf(name);
    requireOrders(domain ?? strangersDomain(name, needs), needs);
    const quota = quotaOf(needs.registeredDomain(name), rules);
    const { taken, readyAt } = await buckets.take([quota], clock.now());
    if (!taken)
      return refuse('quota', quotaWords(name, rules, needs), Math.min(readyAt - clock.now(), longestMs));
    await needs.hostAsks.addWaiting(name, clock.now());
    await addHost(name, domain, needs);
    log.info({ host: name, domain: domain?.name ?? name }, 'a host that was asked for is taken in');
    return undefined;
  } catch (error) {
    if (!isAgentError(error, 'command.conflict') && !isAgentError(error, 'command.invalid')) throw error;
    return refuse('domain', error.message, domainMs);
  } finally {
    await lock.release();
  }
}

/** Under its own name where it lies under no domain: who has the host has not the names beside it. */
async function addHost(name: string, known: Domain | undefined, needs: ConsiderNeeds): Promise<void> {
  const domainName = known?.name ?? name;
  const edit = ({ domain, hosts }: StoredWish): WishEdit => {
    if (hosts.some((host) => host.name === name)) return {};
    // Looked at again under the lock of the domain.
    if (domain === undefined && known !== undefined)
      throw new AgentError('command.conflict', `${known.name} was removed just now`);
    const own = domain ?? strangersDomain(name, needs);
    requireOrders(own, needs);
    const host: Host = {
      name,
      domain: domainName,
      origin: { kind: 'runtime' },
      addedAt: needs.clock.now(),
      onDemand: { madeDomain: domain === undefined },
    };
    const facts = { change: 'added', host: name, requestedBy: 'on-demand' };
    const events = [{ type: 'host.changed', domain: domainName, facts } as const];
    return { domain: domain === undefined ? own : undefined, putHosts: [host], events };
  };
  await changeWishes(domainName, edit, needs);
}

/** The DNS of whoever brings a host is not ours to write; what is asked of us comes here. */
function strangersDomain(name: string, { settings }: ConsiderNeeds): Domain {
  const { challenge } = settings().defaults;
  const answered = challenge === 'tls-alpn-01' ? challenge : 'http-01';
  return resolveDomain(name, { mode: 'individual', challenge: answered }, settings());
}

function requireOrders(domain: Domain, { settings }: ConsiderNeeds): void {
  const { name, disabledAt, mode } = domain;
  if (disabledAt !== undefined)
    throw new AgentError('command.conflict', `${name} left the configuration file and is disabled`);
  if (mode === 'custom')
    throw new AgentError('command.conflict', `${name} makes no certificates by itself (mode custom)`);
  checkDomain(domain, settings());
}

function quotaOf(registered: string, { perDomain: { count, perMs } }: OnDemandSettings): BucketTake {
  return {
    key: `on-demand:hosts:${registered}`,
    capacity: count,
    perSecond: (count * 1000) / perMs,
    cost: 1,
  };
}

function quotaWords(
  name: string,
  { perDomain }: OnDemandSettings,
  { registeredDomain }: ConsiderNeeds,
): string {
  return `${registeredDomain(name)} has had its ${perDomain.count} new hosts in ${periodText(perDomain)} (onDemand.perDomain)`;
}
