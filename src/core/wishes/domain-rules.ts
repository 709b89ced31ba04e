import { addressRefusal, isAddress } from '../address.ts';
import { isDnsChallenge, unansweredReason } from '../challenges.ts';
import { AgentError } from '../errors.ts';
import { plannedRefusal } from '../order/profile-rules.ts';
import { keyClassOf } from '../policies.ts';
import type { Domain, DomainDefaults, DomainWish, Settings } from '../types.ts';
import { referencesOf } from './domain-wish.ts';

/** Why a domain cannot work, at the field that says so, with what to do. */
export interface DomainFault {
  readonly field: keyof DomainDefaults;
  readonly message: string;
}

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
  const [first] = domainFaults(domain, settings);
  if (first !== undefined) refuse(`${first.field}: ${first.message}`);
}

/** What contradicts itself in a domain, wherever it comes from. A DNS account that the file does not define is no part of that. */
export function domainFaults(domain: Domain, settings: Settings): readonly DomainFault[] {
  const { name, issuers } = domain;
  const onAddress = addressRefusal(domain);
  const onProfile = plannedRefusal([name], domain, settings);
  const byDns = isAddress(name) ? [] : [...wildcardFaults(domain, settings), ...accountFaults(domain)];
  return [
    ...(issuers.length > 0 ? [] : [fault('issuers', `name at least one of: ${list(settings.issuers)}`)]),
    ...keyTypeFaults(domain),
    ...(onAddress === undefined ? [] : [onAddress]),
    ...(onProfile === undefined ? [] : [fault('profile', onProfile)]),
    ...answerFaults(domain, settings),
    ...byDns,
  ];
}

/** What contradicts itself in the defaults, whatever a domain says beside them: that one may name a DNS account. */
export function defaultsFaults(settings: Settings): readonly DomainFault[] {
  const { defaults } = settings;
  return [
    ...keyTypeFaults(defaults),
    ...answerFaults(defaults, settings),
    ...wildcardFaults(defaults, settings),
  ];
}

/** Each class is a lineage of its own, so there is one type of each. */
function keyTypeFaults({ keyTypes }: DomainDefaults): readonly DomainFault[] {
  if (keyTypes.length === 0) return [fault('keyTypes', 'name at least one')];
  if (new Set(keyTypes.map(keyClassOf)).size === keyTypes.length) return [];
  const message = 'give at most one ECDSA (p256, p384) and one RSA type: each makes a certificate';
  return [fault('keyTypes', message)];
}

function answerFaults({ challenge }: DomainDefaults, settings: Settings): readonly DomainFault[] {
  const reason = challenge && unansweredReason(challenge, settings);
  return reason === undefined ? [] : [fault('challenge', reason)];
}

function wildcardFaults(
  { mode, challenge, dnsAccount }: DomainDefaults,
  settings: Settings,
): readonly DomainFault[] {
  if (mode !== 'wildcard') return [];
  if (challenge !== undefined && !isDnsChallenge(challenge)) {
    const instead = `the challenge is ${challenge}: remove one of them`;
    return [fault('mode', `a wildcard is only issued over dns-01, but ${instead}`)];
  }
  const account = settings.dnsAccounts.find(({ name }) => name === dnsAccount);
  if (account === undefined || account.programmable || challenge !== undefined) return [];
  const message = `a wildcard needs a DNS account that the agent can write to, and ${account.name} is kept by hand: add "challenge: dns-01" if a person shall add a record for each order`;
  return [fault('mode', message)];
}

function accountFaults({ mode, challenge, dnsAccount }: DomainDefaults): readonly DomainFault[] {
  if (dnsAccount !== undefined) return [];
  if (challenge !== undefined && isDnsChallenge(challenge))
    return [fault('challenge', `${challenge} needs a DNS account: add "dnsAccount"`)];
  const message = 'a wildcard needs a DNS account: add "dnsAccount", or use "mode: individual"';
  return mode === 'wildcard' && challenge === undefined ? [fault('mode', message)] : [];
}

function fault(field: DomainFault['field'], message: string): DomainFault {
  return { field, message };
}

function refuse(message: string): never {
  throw new AgentError('command.invalid', message);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
