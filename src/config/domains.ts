import { isDnsChallenge } from '../core/challenges.ts';
import { isUnder, isWildcard, parseName, refusal } from '../core/names.ts';
import { effectiveMode } from '../core/policies.ts';
import type { Domain, Settings } from '../core/types.ts';
import { defaultsFaults, domainFaults } from '../core/wishes/domain-rules.ts';
import type { FileDomain } from './config.ts';
import type { Path } from './mistakes.ts';
import type { Reader } from './reader.ts';
import { type DefaultsPart, type DomainPart, domain as domainSchema } from './schema.ts';
import { suggestion } from './suggest.ts';

/** What domains may refer to. */
interface Surroundings {
  readonly reader: Reader;
  readonly defaults: DefaultsPart;
  readonly settings: Settings;
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
  const inherited = checkDefaults(around);
  const entries: Entry[] = [];
  for (let index = 0; index < reader.count(['domains']); index++) {
    const path = ['domains', index];
    const part = reader.read(domainSchema, path);
    if (part === undefined) continue;
    const domain = toDomain(part, path, around);
    checkReferences(path, part, around);
    checkName(path, domain, { reader, entries });
    checkIssuers(path, part, around);
    checkRules({ path, part, domain }, around, inherited);
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
    redirect: part.redirect ?? general.redirect,
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

/** Returns what was reported there: it is not told again at the domains that follow it. */
function checkDefaults({ reader, settings }: Surroundings): readonly string[] {
  const faults = defaultsFaults(settings);
  for (const { field, message } of faults) reader.report(['defaults', field], message);
  return faults.map(({ message }) => message);
}

function checkRules(
  { path, part, domain }: Entry,
  { reader, settings }: Surroundings,
  inherited: readonly string[],
): void {
  // Without any issuer there is nothing to name; that is told elsewhere.
  const faults = domainFaults(domain, settings).filter(({ field }) => field !== 'issuers');
  for (const { field, message } of faults)
    if (part[field] !== undefined) reader.report([...path, field], message);
    else if (!inherited.includes(message)) reader.report(path, message);
}

function checkName(
  path: Path,
  domain: Domain,
  { reader, entries }: { readonly reader: Reader; readonly entries: readonly Entry[] },
): void {
  const place = [...path, 'name'];
  if (domain.name === '') {
    if (!reader.keys(path).includes('name')) reader.report(place, 'is missing: write text');
    return;
  }
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
    else owners.set(name, domain.name === '' ? 'another domain' : domain.name);
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
