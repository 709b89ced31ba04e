import { AgentError } from '../core/errors.ts';
import { keyClassOf } from '../core/policies.ts';
import type { Domain, Settings } from '../core/types.ts';

/** Throws `command.invalid` for a domain that names what the configuration file does not define, or that cannot work. */
export function checkDomain(domain: Domain, settings: Settings): void {
  checkNames(domain, settings);
  if (domain.issuers.length === 0)
    refuse(`${domain.name} has no issuer; name at least one of: ${list(settings.issuers)}`);
  if (domain.keyTypes.length === 0) refuse(`${domain.name} has no key type; name at least one`);
  const classes = domain.keyTypes.map(keyClassOf);
  if (new Set(classes).size < classes.length)
    refuse(
      `keyTypes: ${domain.keyTypes.join(' and ')} are of one kind; give one elliptic key type, one RSA key type, or one of each`,
    );
  checkChallenge(domain, settings);
}

function checkNames(domain: Domain, settings: Settings): void {
  const accounts = settings.dnsAccounts.map(({ name }) => name);
  const kinds: readonly (readonly [
    field: string,
    what: string,
    used: readonly string[],
    known: readonly string[],
  ])[] = [
    ['issuers', 'issuer', domain.issuers, settings.issuers],
    ['dnsAccount', 'DNS account', domain.dnsAccount === undefined ? [] : [domain.dnsAccount], accounts],
    ['deploy', 'deploy target', domain.deploy, settings.deployTargets],
    ['notify', 'notifier', domain.notify, settings.notifiers],
  ];
  for (const [field, what, used, known] of kinds) {
    const stranger = used.find((name) => !known.includes(name));
    if (stranger !== undefined)
      refuse(`${field}: the configuration file defines no ${what} "${stranger}"; it defines: ${list(known)}`);
    const twice = used.find((name, index) => used.indexOf(name) < index);
    if (twice !== undefined) refuse(`${field}: "${twice}" is given twice`);
  }
}

function checkChallenge({ name, mode, challenge, dnsAccount }: Domain, settings: Settings): void {
  if (challenge === 'dns-01' && dnsAccount === undefined)
    refuse(`${name} cannot use dns-01 without a DNS account; name one with dnsAccount`);
  if (mode !== 'wildcard') return;
  const instead = 'or use the mode individual';
  if (challenge !== undefined && challenge !== 'dns-01')
    refuse(
      `${name} cannot have a wildcard certificate with ${challenge}: CAs issue wildcards over dns-01 only; change the challenge, ${instead}`,
    );
  const account = settings.dnsAccounts.find((one) => one.name === dnsAccount);
  if (account === undefined)
    refuse(
      `${name} cannot have a wildcard certificate without a DNS account; name one with dnsAccount, ${instead}`,
    );
  if (!account.programmable)
    refuse(
      `${name} cannot have a wildcard certificate: the DNS account ${account.name} is kept by hand; name another one, ${instead}`,
    );
}

function refuse(message: string): never {
  throw new AgentError('command.invalid', message);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
