import { addressRefusal } from '../core/address.ts';
import { isDnsChallenge, unansweredReason } from '../core/challenges.ts';
import { AgentError } from '../core/errors.ts';
import { plannedRefusal } from '../core/order/profile-rules.ts';
import { keyClassOf } from '../core/policies.ts';
import type { Domain, DomainWish, Settings } from '../core/types.ts';
import { referencesOf } from '../core/wishes/domain-wish.ts';

/** Throws `command.invalid` for a wish that names what the configuration file does not define. */
export function checkReferences(wish: DomainWish, settings: Settings): void {
  for (const { field, noun, names, defined } of referencesOf(wish, settings)) {
    const stranger = names.find((name) => !defined.includes(name));
    if (stranger !== undefined)
      refuse(
        `${field}: the configuration file defines no ${noun} "${stranger}"; it defines: ${list(defined)}`,
      );
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice !== undefined) refuse(`${field}: "${twice}" is given twice`);
  }
}

/** Throws `command.invalid` for a domain that cannot work. */
export function checkDomain(domain: Domain, settings: Settings): void {
  if (domain.issuers.length === 0)
    refuse(`${domain.name} has no issuer; name at least one of: ${list(settings.issuers)}`);
  if (domain.keyTypes.length === 0) refuse(`${domain.name} has no key type; name at least one`);
  const classes = domain.keyTypes.map(keyClassOf);
  if (new Set(classes).size < classes.length)
    refuse(
      `keyTypes: ${domain.keyTypes.join(' and ')} are of one kind; give one elliptic key type, one RSA key type, or one of each`,
    );
  const onAddress = addressRefusal(domain);
  if (onAddress !== undefined) refuse(onAddress.message);
  const onProfile = plannedRefusal([domain.name], domain, settings);
  if (onProfile !== undefined) refuse(`profile: ${onProfile}`);
  checkChallenge(domain, settings);
}

function checkChallenge({ name, mode, challenge, dnsAccount }: Domain, settings: Settings): void {
  const reason = challenge && unansweredReason(challenge, settings);
  if (reason !== undefined) refuse(reason);
  if (challenge !== undefined && isDnsChallenge(challenge) && dnsAccount === undefined)
    refuse(`${name} cannot use ${challenge} without a DNS account; name one as its DNS account`);
  if (mode !== 'wildcard') return;
  const instead = 'or use the mode individual';
  if (challenge !== undefined && !isDnsChallenge(challenge))
    refuse(
      `${name} cannot have a wildcard certificate with ${challenge}: CAs issue wildcards over dns-01 only; change the challenge, ${instead}`,
    );
  const account = settings.dnsAccounts.find((one) => one.name === dnsAccount);
  if (account === undefined)
    refuse(
      `${name} cannot have a wildcard certificate without a DNS account; name one as its DNS account, ${instead}`,
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
