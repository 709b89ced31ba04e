import type { ChallengeType, Settings } from './types.ts';

/** Challenges that an agent answers, by one solver each. */
export const answeredChallenges = [
  'http-01',
  'dns-01',
  'tls-alpn-01',
] as const satisfies readonly ChallengeType[];

/** Of drafts that may still change: answered only where the file names them under `experimental`. */
export const experimentalChallenges = [
  'dns-account-01',
  'dns-persist-01',
] as const satisfies readonly ChallengeType[];

export type AnsweredChallenge = (typeof answeredChallenges)[number];
export type ExperimentalChallenge = (typeof experimentalChallenges)[number];

/** Proven by TXT records: these alone are for wildcards, and they need a DNS account. */
export function isDnsChallenge(type: ChallengeType): boolean {
  return type === 'dns-01' || experimentalChallenges.some((one) => one === type);
}

/** undefined: the agent answers it. Else a reason in words, and what to do. */
export function unansweredReason(
  type: ChallengeType,
  { experimental = [], answersTlsAlpn = false }: Pick<Settings, 'experimental' | 'answersTlsAlpn'>,
): string | undefined {
  if (type === 'tls-alpn-01' && !answersTlsAlpn)
    return 'tls-alpn-01 needs a listener: add "tlsAlpn01" to the configuration file, or use http-01';
  const isAnswered = answeredChallenges.some((one) => one === type) || experimental.includes(type);
  return isAnswered
    ? undefined
    : `${type} is of a draft that may still change: to use it, name it under "experimental" in the configuration file`;
}
