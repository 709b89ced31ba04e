import { covers } from '../core/names.ts';
import type { Instant } from '../core/types.ts';
import type { WhyCertificate } from './why.ts';
import { counted, listed, relative, sentence, soonOrAt, when } from './words.ts';

type Facts = Pick<WhyCertificate, 'leftOut' | 'wanted'>;

/** For a name that its certificate has to do without: that comes before all that is true of the others. Pure. */
export function notOnIt(host: string, facts: Facts, now: Instant): readonly string[] {
  const left = lacking(host, facts);
  if (left === undefined) return [];
  const { failures, since, retryAt, failure } = left;
  const issuer = failure.issuer ?? 'its CA';
  const refused = `${issuer} refused it ${counted(failures, 'time')}, the last ${relative(failure.at, now)}`;
  return [
    `${host} is not on its certificate since ${when(since, now)}, so browsers warn of it: ${refused}: ${sentence(failure.message)}`,
    ...(failure.advice === undefined ? [] : [`What to do: ${failure.advice}`]),
    `It is tried again ${soonOrAt(retryAt, now)}.`,
  ];
}

/** Of whom it is said what is served. */
export function subjectOf(host: string, facts: Facts): string {
  return lacking(host, facts) === undefined ? host : `The rest of it, ${listed(facts.wanted?.names ?? [])},`;
}

/** The other names that it does not cover, each on a ladder of its own. */
export function without(host: string, facts: Facts, now: Instant): readonly string[] {
  const own = lacking(host, facts);
  const others = facts.leftOut.filter((one) => one !== own);
  return others.flatMap(({ name, failures, since, retryAt, failure }) => [
    `Without ${name} since ${when(since, now)}, refused ${counted(failures, 'time')}: ${sentence(failure.message)}`,
    `  It is tried again ${soonOrAt(retryAt, now)}.`,
  ]);
}

/** undefined also while a certificate is served that has the name, an earlier one or a stand-in. */
function lacking(host: string, { leftOut, wanted }: Facts): Facts['leftOut'][number] | undefined {
  const isServed = wanted === undefined || wanted.names.some((pattern) => covers(pattern, host));
  return isServed ? undefined : leftOut.find(({ name }) => name === host);
}
