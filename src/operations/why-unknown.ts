import { isAddress } from '../core/address.ts';
import { isWildcard } from '../core/names.ts';
import { nearest } from '../core/nearest.ts';
import { isAllowed } from '../core/on-demand/patterns.ts';
import type { AskRefusal, Instant } from '../core/types.ts';
import type { OperationNeeds } from './define.ts';
import { domainFor, likelyDomain } from './refusals.ts';
import { relative, when } from './words.ts';

/** Why there is no certificate for a name at all. */
export interface WhyUnknown {
  readonly domain?: string | undefined;
  readonly reason: 'no-domain' | 'no-host' | 'disabled' | 'custom';
  /** A known name that may have been meant. */
  readonly nearest?: string | undefined;
  /** Hosts are taken in when clients ask for them; what stands in the way of this one. */
  readonly onDemand?: { readonly isAllowed: boolean; readonly refusal?: AskRefusal | undefined } | undefined;
}

/** What is known of a name for which no certificate is kept. */
export async function unknownOf(host: string, needs: OperationNeeds): Promise<WhyUnknown> {
  const [unknown, onDemand] = await Promise.all([wishOf(host, needs), askedFor(host, needs)]);
  return { ...unknown, onDemand };
}

async function askedFor(host: string, needs: OperationNeeds): Promise<WhyUnknown['onDemand']> {
  const rules = needs.settings().onDemand;
  if (rules === undefined || isWildcard(host) || isAddress(host)) return undefined;
  return { isAllowed: isAllowed(host, rules.allow), refusal: await needs.hostAsks.refusalOf(host) };
}

async function wishOf(host: string, needs: OperationNeeds): Promise<WhyUnknown> {
  const domain = await domainFor([host], needs);
  if (domain === undefined) {
    const domains = (await needs.wishes.domains()).map(({ name }) => name);
    return { reason: 'no-domain', nearest: nearestDomain(host, domains) };
  }
  if (domain.disabledAt !== undefined) return { reason: 'disabled', domain: domain.name };
  const hosts = await needs.wishes.hosts(domain.name);
  if (hosts.some(({ name }) => name === host)) return { reason: 'custom', domain: domain.name };
  const names = hosts.map(({ name }) => name);
  return { reason: 'no-host', domain: domain.name, nearest: nearest(host, names) };
}

/** The domain that a mistyped name was likely meant to lie under: each of its endings is compared. */
function nearestDomain(host: string, domains: readonly string[]): string | undefined {
  const labels = host.split('.');
  const endings = labels.slice(0, -1).map((_, from) => labels.slice(from).join('.'));
  return endings.map((ending) => nearest(ending, domains)).find((near) => near !== undefined);
}

/** In plain words, with the command that adds it. Pure. */
export function explainUnknown(host: string, unknown: WhyUnknown, asOf: Instant): readonly string[] {
  return [...explainWish(host, unknown), ...explainAsked(unknown, asOf)];
}

function explainAsked({ reason, onDemand }: WhyUnknown, asOf: Instant): readonly string[] {
  if (onDemand === undefined || reason === 'custom' || reason === 'disabled') return [];
  const { isAllowed: isMatched, refusal } = onDemand;
  if (!isMatched) return ['On demand: no pattern of onDemand.allow stands for it, so clients ask in vain.'];
  if (refusal === undefined) return ['On demand: it is allowed, and taken in when a client asks for it.'];
  return [
    `On demand: a client asked for it ${relative(refusal.at, asOf)}, and it was refused: ${refusal.message}.`,
    `It may be asked for again from ${when(refusal.until, asOf)}.`,
  ];
}

function explainWish(host: string, { reason, domain, nearest }: WhyUnknown): readonly string[] {
  const near = nearest === undefined ? [] : [`Nearest that is known: ${nearest}.`];
  switch (reason) {
    case 'no-domain': {
      const missing = likelyDomain(host);
      return [
        `Nothing is served for ${host}: it lies under no domain that is configured.`,
        ...near,
        `To add it: acme-agent domains add ${missing} --hosts ${host}`,
      ];
    }
    case 'no-host':
      return [
        `Nothing is served for ${host}: ${domain} is configured, but it has no such host.`,
        ...near,
        `To add it: acme-agent hosts add ${host}`,
      ];
    case 'disabled':
      return [
        `Nothing is served for ${host}: ${domain} left the configuration file and is disabled.`,
        `To serve it again: put the domain back into the file, or acme-agent domains add ${domain} --hosts ${host}`,
      ];
    case 'custom':
      return [
        `Nothing is served for ${host}: ${domain} makes no certificates by itself (mode custom).`,
        `To have one: acme-agent issue ${host}`,
      ];
  }
}
