import type { Origin } from '../core/types.ts';
import type { DomainShown } from '../operations/domains.ts';
import { exact } from '../operations/words.ts';
import { facts, table } from './print.ts';

/** The text of `domains show`. */
export function renderDomain({ domain, hosts, groups, policies }: DomainShown): string {
  const { profile, disabledAt } = domain;
  const about = facts([
    ['domain', domain.name],
    ['owner', ownerOf(domain.origin)],
    ['disabled', disabledAt === undefined ? undefined : `since ${exact(disabledAt)}: it left the file`],
    ['mode', domain.mode],
    ['issuers', domain.issuers.join(', ')],
    ['challenge', domain.challenge],
    ['DNS account', domain.dnsAccount],
    ['keys', domain.keyTypes.join(', ')],
    [
      'profile',
      profile === undefined ? undefined : `${profile.name}${profile.required ? ' (required)' : ''}`,
    ],
    ['refused names', domain.partial === true ? 'left out of the order' : undefined],
    ['renewals', domain.reuseKey === true ? 'keep the key' : undefined],
    ['plain HTTP', domain.redirect],
    ['deploy', domain.deploy.join(', ')],
    ['notify', domain.notify.join(', ')],
    ['contacts', domain.contacts.join(', ')],
  ]);
  const named = [
    ...hosts.map(({ name, origin, onDemand }) => [
      name,
      'host',
      onDemand === undefined ? ownerOf(origin) : 'on demand',
    ]),
    ...groups.map(({ label, origin }) => [label, 'group', ownerOf(origin)]),
  ];
  const needed = policies.map(({ id, names, challenge }) => [id, challenge, names.join(', ')]);
  return [
    about,
    ...(named.length === 0 ? [] : [table(['NAME', 'KIND', 'OWNER'], named)]),
    ...(needed.length === 0 ? [] : [table(['CERTIFICATE', 'CHALLENGE', 'NAMES'], needed)]),
  ].join('\n');
}

export function ownerOf(origin: Origin): string {
  return origin.kind === 'file' ? `file, line ${origin.line}` : 'command';
}
