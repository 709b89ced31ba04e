import { addressRefusal, isAddress } from '../core/address.ts';
import { isDnsChallenge, unansweredReason } from '../core/challenges.ts';
import { isUnder, isWildcard, parseName, refusal } from '../core/names.ts';
import { plannedRefusal } from '../core/order/profile-rules.ts';
import { effectiveMode, keyClassOf } from '../core/policies.ts';
import type { Domain, Settings } from '../core/types.ts';
import type { DnsAccountConfig, FileDomain } from './config.ts';
import type { Path } from './mistakes.ts';
import type { Reader } from './reader.ts';
import { type DefaultsPart, type DomainPart, domain as domainSchema } from './schema.ts';
import { suggestion } from './suggest.ts';

/** What domains may refer to. */
interface Surroundings {
  readonly reader: Reader;
  readonly defaults: DefaultsPart;
  readonly settings: Settings;
  readonly accounts: readonly DnsAccountConfig[];
}

interface Entry {
  readonly path: Path;
  readonly part: DomainPart;
  readonly domain: Domain;
}

/** The domains of the file with their hosts; contradictions are reported at the key that makes them. */
export function readDomains(around: Surroundings): readonly FileDomain[] {
  const { reader } = around;
  checkReferences(['defaults'], around.defaults, around);
  checkAnswered(['defaults'], around.defaults, around);
  const entries: Entry[] = [];
  for (let index = 0; index < reader.count(['domains']); index++) {
    const path = ['domains', index];
    const part = reader.read(domainSchema, path);
    if (part === undefined) continue;
    const domain = toDomain(part, path, around);
    checkReferences(path, part, around);
    checkAnswered(path, part, around);
    checkName(path, domain, { reader, entries });
    checkIssuers(path, part, around);
    checkKeyTypes(path, domain, reader);
    if (isAddress(domain.name)) checkAddress({ path, part, domain }, around);
    else checkChallenge({ path, part, domain }, around);
    entries.push({ path, part, domain });
  }
  const owners = new Map<string, string>();
  return entries.map((entry) => ({
    domain: entry.domain,
    hosts: readHosts(entry, { reader, entries, owners }),
  }));
}

function toDomain(part: DomainPart, path: Path, { reader, settings }: Surroundings): Domain {
  const general = settings.defaults;
  return {
    name: refusal(part.name) === undefined ? parseName(part.name) : part.name,
    mode: part.mode ?? general.mode,
    issuers: part.issuers ?? general.issuers,
    challenge: part.challenge ?? general.challenge,
    dnsAccount: part.dnsAccount ?? general.dnsAccount,
    keyTypes: part.keyTypes ?? general.keyTypes,
    profile: part.profile ?? general.profile,
    partial: part.partial ?? general.partial,
    reuseKey: part.reuseKey ?? general.reuseKey,
    deploy: part.deploy ?? general.deploy,
    notify: part.notify ?? general.notify,
    contacts: part.contacts ?? general.contacts,
    origin: { kind: 'file', line: reader.lineOf(path) },
  };
}

/** Names are known as written, also those of entries with mistakes: one mistake is not told twice. */
function checkReferences(path: Path, part: DefaultsPart, { reader }: Surroundings): void {
  const check = (names: readonly string[], key: string, [section, noun]: readonly [string, string]) => {
    const known = reader.keys([section]);
    for (const [index, name] of names.entries()) {
      const place = key === 'dnsAccount' ? [...path, key] : [...path, key, index];
      if (!known.includes(name))
        reader.report(
          place,
          `there is no ${noun} "${name}" in ${section}${suggestion(name, known, ['there are'])}`,
        );
      else if (names.indexOf(name) < index) reader.report(place, `"${name}" stands twice: remove one`);
    }
  };
  check(part.issuers ?? [], 'issuers', ['issuers', 'issuer']);
  check(part.deploy ?? [], 'deploy', ['deployTargets', 'deploy target']);
  check(part.notify ?? [], 'notify', ['notifiers', 'notifier']);
  check(part.dnsAccount === undefined ? [] : [part.dnsAccount], 'dnsAccount', ['dnsAccounts', 'DNS account']);
}

function checkAnswered(path: Path, { challenge }: DefaultsPart, { reader, settings }: Surroundings): void {
  const reason = challenge && unansweredReason(challenge, settings);
  if (reason !== undefined) reader.report([...path, 'challenge'], reason);
}

function checkName(
  path: Path,
  domain: Domain,
  { reader, entries }: { readonly reader: Reader; readonly entries: readonly Entry[] },
): void {
  const place = [...path, 'name'];
  const reason = refusal(domain.name);
  const twin = entries.find((entry) => entry.domain.name === domain.name);
  if (reason !== undefined) reader.report(place, `is not a domain name: ${reason}`);
  else if (isWildcard(domain.name))
    reader.report(place, `write ${domain.name.slice(2)} and "mode: wildcard" instead of a wildcard`);
  else if (twin !== undefined)
    reader.report(
      place,
      `the domain ${domain.name} stands in line ${reader.lineOf(twin.path)} too: join the two`,
    );
}

function checkIssuers(path: Path, part: DomainPart, { reader, defaults, settings }: Surroundings): void {
  if (part.issuers !== undefined || defaults.issuers !== undefined || settings.issuers.length < 2) return;
  reader.report(
    path,
    'several issuers are defined: say in "issuers" (here or under "defaults") which ones, in order',
  );
}

function checkKeyTypes(path: Path, { keyTypes }: Domain, reader: Reader): void {
  const classes = keyTypes.map(keyClassOf);
  const second = classes.findIndex((each, index) => classes.indexOf(each) < index);
  if (second !== -1)
    reader.report(
      [...path, 'keyTypes'],
      'give at most one ECDSA (p256, p384) and one RSA type: each makes a certificate',
    );
}

function checkAddress({ path, part, domain }: Entry, { reader, settings }: Surroundings): void {
  const refused = addressRefusal(domain);
  if (refused !== undefined)
    reader.report(part[refused.field] === undefined ? path : [...path, refused.field], refused.message);
  const onProfile = plannedRefusal([domain.name], domain, settings);
  if (onProfile !== undefined)
    reader.report(part.profile === undefined ? path : [...path, 'profile'], onProfile);
}

function checkChallenge({ path, part, domain }: Entry, { reader, accounts }: Surroundings): void {
  const account = accounts.find(({ name }) => name === domain.dnsAccount);
  const place = part.challenge === undefined ? path : [...path, 'challenge'];
  const { challenge } = domain;
  if (challenge !== undefined && isDnsChallenge(challenge) && domain.dnsAccount === undefined)
    reader.report(place, `${challenge} needs a DNS account: add "dnsAccount"`);
  const isUnknown = domain.dnsAccount !== undefined && account === undefined;
  if (domain.mode !== 'wildcard' || isUnknown) return;
  const mode = part.mode === undefined ? path : [...path, 'mode'];
  if (challenge !== undefined && !isDnsChallenge(challenge))
    reader.report(
      mode,
      `a wildcard is only issued over dns-01, but the challenge is ${challenge}: remove one of them`,
    );
  else if (account?.programmable !== true)
    reader.report(
      mode,
      account === undefined
        ? 'a wildcard needs a DNS account: add "dnsAccount", or use "mode: individual"'
        : `a wildcard needs a DNS account that the agent can write to, and ${account.name} is kept by hand`,
    );
}

function readHosts(
  { path, part, domain }: Entry,
  around: {
    readonly reader: Reader;
    readonly entries: readonly Entry[];
    readonly owners: Map<string, string>;
  },
): FileDomain['hosts'] {
  const { reader, entries, owners } = around;
  return part.hosts.flatMap((written, index) => {
    const place = [...path, 'hosts', index];
    const reason = refusal(written);
    if (reason !== undefined) {
      reader.report(place, `is not a host name: ${reason}`);
      return [];
    }
    const name = parseName(written);
    const complaint = hostComplaint(name, domain, entries) ?? wildcardComplaint(name, domain);
    if (complaint !== undefined) reader.report(place, complaint);
    else if (owners.has(name))
      reader.report(place, `the host ${name} stands under ${owners.get(name)} already: remove one`);
    else owners.set(name, domain.name);
    return [{ name, domain: domain.name, origin: { kind: 'file', line: reader.lineOf(place) }, addedAt: 0 }];
  });
}

function hostComplaint(name: string, domain: Domain, entries: readonly Entry[]): string | undefined {
  if (refusal(domain.name) !== undefined) return undefined;
  if (!isUnder(name, domain.name))
    return `the host ${name} is not under ${domain.name}: move it to its own domain`;
  const nearer = entries
    .map((entry) => entry.domain.name)
    .find((other) => other.length > domain.name.length && isUnder(name, other));
  return nearer === undefined ? undefined : `the host ${name} belongs to the domain ${nearer}: move it there`;
}

function wildcardComplaint(name: string, domain: Domain): string | undefined {
  if (!isWildcard(name) || (domain.challenge !== undefined && isDnsChallenge(domain.challenge)))
    return undefined;
  if (domain.challenge !== undefined)
    return `the wildcard ${name} is only issued over dns-01, but the challenge is ${domain.challenge}: list its hosts one by one`;
  return domain.dnsAccount === undefined && effectiveMode(domain, undefined) !== 'custom'
    ? `the wildcard ${name} is only issued over dns-01: add "dnsAccount", or list its hosts one by one`
    : undefined;
}
