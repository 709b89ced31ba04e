import { nearest } from '../core/nearest.ts';
import type { OperationNeeds } from './define.ts';
import { domainFor, likelyDomain } from './refusals.ts';

/** Why there is no certificate for a name at all. */
export interface WhyUnknown {
  readonly domain?: string | undefined;
  readonly reason: 'no-domain' | 'no-host' | 'disabled' | 'custom';
  /** A known name that may have been meant. */
  readonly nearest?: string | undefined;
}

/** What is known of a name for which no certificate is kept. */
export async function unknownOf(host: string, needs: OperationNeeds): Promise<WhyUnknown> {
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
export function explainUnknown(host: string, { reason, domain, nearest }: WhyUnknown): readonly string[] {
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
