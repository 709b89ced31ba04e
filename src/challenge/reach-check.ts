import { isAddress } from '../core/address.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { HostAddress, HostFacts } from '../core/host-facts.ts';
import type { Finding } from '../core/ports.ts';
import type { ChallengeType } from '../core/types.ts';
import { type FetchNeeds, fetchTrial, type Place, type Reached, urlOf } from './reach.ts';

/** Where a CA connects to validate names, when that is not the web's ports. */
export interface Validation {
  readonly httpPort?: number | undefined;
  readonly httpsPort?: number | undefined;
}

export interface ReachNeeds extends Omit<FetchNeeds, 'addressesOf'> {
  readonly lookUpHost: (name: string, signal: AbortSignal) => Promise<HostFacts>;
  /** Private, link-local or of another kind to which no public CA connects. */
  readonly isPrivate: (address: string) => boolean;
}

export interface Ask {
  readonly name: string;
  readonly challenge: ChallengeType;
  /** undefined: a public CA. */
  readonly validation: Validation | undefined;
}

type Seen = HostAddress & { readonly reached: Reached };

/** Of each family. */
const mostAddresses = 3;

/** Whether a CA reaches this agent under a name: its addresses, and for HTTP-01 what each answers. Never rejects. */
export async function checkReach(
  ask: Ask,
  needs: ReachNeeds,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { name, challenge, validation } = ask;
  const facts = await factsOf(name, needs, signal);
  const hidden =
    validation === undefined ? facts.addresses.filter(({ address }) => needs.isPrivate(address)) : [];
  const warnings = dnsWarnings(name, facts, hidden);
  const shown = facts.addresses.filter((one) => !hidden.includes(one));
  if (challenge !== 'http-01' || shown.length === 0) return warnings;
  const asked = [...some(shown, 'AAAA'), ...some(shown, 'A')];
  const look = async (one: HostAddress): Promise<Seen> => ({
    ...one,
    reached: await fetchTrial(placeOf(ask, one), fetchNeeds(needs), signal),
  });
  const seen = await Promise.all(asked.map(look));
  const isAll = warnings.length === 0 && asked.length === shown.length;
  return [...warnings, ...judge(ask, seen, isAll)];
}

function dnsWarnings(
  name: string,
  { exists, addresses, trouble }: HostFacts,
  hidden: readonly HostAddress[],
): readonly Finding[] {
  const say = sayOf(name);
  const broken = trouble.map((words) =>
    say('warning', 'challenge.dns', `${capital(words)} A CA refuses what it cannot look up.`),
  );
  if (addresses.length === 0 && broken.length === 0)
    return [say('warning', 'challenge.dns', missing(name, exists))];
  return [...broken, ...hidden.map((one) => say('warning', 'challenge.connection', secluded(name, one)))];
}

function fetchNeeds({ http, tokens, lookUpHost }: ReachNeeds): FetchNeeds {
  const addressesOf: FetchNeeds['addressesOf'] = async (host, signal) =>
    (await lookUpHost(host, signal)).addresses.map(({ address }) => address);
  return { http, tokens, addressesOf };
}

async function factsOf(name: string, { lookUpHost }: ReachNeeds, signal: AbortSignal): Promise<HostFacts> {
  if (isAddress(name)) {
    const type = name.includes(':') ? 'AAAA' : 'A';
    return { exists: true, addresses: [{ type, owner: name, address: name }], trouble: [] };
  }
  try {
    return await lookUpHost(name, signal);
  } catch {
    const trouble = [
      `the addresses of ${name} were not found in time. Mend its DNS, or name faster servers under "resolvers".`,
    ];
    return { exists: true, addresses: [], trouble };
  }
}

function some(addresses: readonly HostAddress[], type: HostAddress['type']): readonly HostAddress[] {
  return addresses.filter((one) => one.type === type).slice(0, mostAddresses);
}

function placeOf({ name, validation }: Ask, { address }: HostAddress): Place {
  const { httpPort = 80, httpsPort = 443 } = validation ?? {};
  return { name, address, port: httpPort, ports: [80, 443, httpPort, httpsPort] };
}

/** Definite is only what every address says that a CA may choose. */
function judge(ask: Ask, seen: readonly Seen[], isAll: boolean): readonly Finding[] {
  const { name } = ask;
  const say = sayOf(name);
  const url = urlOf(name, ask.validation?.httpPort ?? 80, '');
  const ours = seen.filter(({ reached }) => reached.saw === 'ours');
  if (ours.length > 0) {
    const fact = `${url} is answered by this agent at ${ours.map(({ address }) => address).join(', ')}.`;
    const amiss = seen.flatMap((one) => strayAddress(name, one));
    return amiss.length > 0 ? amiss : [say('fine', 'challenge.connection', fact)];
  }
  const told = seen.flatMap(({ address, reached }) =>
    reached.saw === 'ours' ? [] : [`${address}: ${reached.said}`],
  );
  const words = `${told.join('; ')}. Point ${name} at the agent, or pass /.well-known/acme-challenge/ on to it.`;
  if (isAll && seen.every(({ reached }) => reached.saw === 'other'))
    return [say('stop', 'challenge.unauthorized', `${url} is not answered by this agent: ${words}`)];
  const fact = `${url} was not seen to be answered by this agent: ${words}`;
  return [say('warning', 'challenge.connection', fact)];
}

/** One of several, which does not lead to the agent as others do. */
function strayAddress(name: string, one: Seen): readonly Finding[] {
  const { type, owner, address, reached } = one;
  if (reached.saw === 'ours' || (reached.saw === 'nothing' && reached.isOurs)) return [];
  const why = type === 'AAAA' ? 'many CAs try IPv6 first' : 'a CA may choose it';
  const code = reached.saw === 'other' ? 'challenge.unauthorized' : 'challenge.connection';
  const record = recordOf({ owner, type, address });
  const message = `${name} has the address ${address}, and ${why}: ${reached.said}. Make it lead to the agent, or remove: ${record}`;
  return [sayOf(name)('warning', code, message)];
}

function sayOf(name: string) {
  return (level: Finding['level'], code: ErrorCode, message: string): Finding => ({
    name,
    level,
    code,
    message,
  });
}

function missing(name: string, exists: boolean): string {
  const fact = exists ? `${name} has no address in the DNS.` : `The DNS knows no ${name}.`;
  return `${fact} Add the address of the agent, or of what passes requests on to it: ${name}. IN A <address>`;
}

function secluded(name: string, one: HostAddress): string {
  return `${name} has the private address ${one.address}, to which no public CA connects. Replace it by a public one, or validate over DNS: ${recordOf(one)}`;
}

function recordOf({ owner, type, address }: HostAddress): string {
  return `${owner}. IN ${type} ${address}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
