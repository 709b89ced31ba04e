import { AgentError } from '../errors.ts';
import type { AcmeSession } from '../ports.ts';
import type { ProfileWish } from '../types.ts';

/**
 * Profile of an order: the one that the domain wants, or else the usual one of the issuer, of those that the CA offers;
 * undefined: whatever the CA takes for its default. One that is only preferred yields where the names do not fit it. Throws `order.profile` where one is required that it does not offer.
 */
export function chooseProfile(
  wanted: ProfileWish | undefined,
  { issuer, profiles, usualProfile }: Pick<AcmeSession, 'issuer' | 'profiles' | 'usualProfile'>,
  fits: (profile: string) => boolean = () => true,
): string | undefined {
  for (const wish of [wanted, usualProfile]) {
    if (wish === undefined) continue;
    if (profiles.includes(wish.name) && (wish.required || fits(wish.name))) return wish.name;
    if (wish.required) throw notOffered(wish, { issuer, profiles });
  }
  return undefined;
}

function notOffered(
  { name }: ProfileWish,
  { issuer, profiles }: Pick<AcmeSession, 'issuer' | 'profiles'>,
): AgentError {
  const offered = profiles.join(', ') || 'none';
  return new AgentError('order.profile', `${issuer} has no profile "${name}"; it offers ${offered}`);
}
