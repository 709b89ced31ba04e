import { isDnsChallenge } from '../challenges.ts';
import type { HeldLineage } from '../held-lineages.ts';
import { keyClassOf, lineageId, wantedOf } from '../policies.ts';
import { freshRenewal } from '../records.ts';
import { pointOf } from '../renewal/held.ts';
import { stillLeftOut, tryNow } from '../renewal/left-out.ts';
import { stillPaused, withoutPauses } from '../renewal/pause.ts';
import type {
  Domain,
  Instant,
  Lineage,
  LineageId,
  Policy,
  RenewalState,
  Settings,
  WantedSpec,
} from '../types.ts';

/** A lineage as the wish has it. */
export interface WantedLineage {
  readonly id: LineageId;
  readonly policy: Policy;
  readonly wanted: WantedSpec;
  readonly issuerMarks: readonly string[] | undefined;
  readonly dnsMark: string | undefined;
}

/** A person's or program's wish for a certificate now. */
export interface Request {
  readonly policies: readonly string[];
  readonly force: boolean;
  readonly task?: string | undefined;
}

export interface Step extends HeldLineage {
  /** The lineage has to be written. */
  readonly isChanged: boolean;
  /** Its state has to be written too, and the work woken. */
  readonly isWoken: boolean;
}

/** One lineage a policy and key type. */
export function wantedLineages(
  policies: readonly Policy[],
  domain: Domain,
  settings: Settings,
): readonly WantedLineage[] {
  const { issuerFacts } = settings;
  const issuerMarks = issuerFacts && domain.issuers.map((name) => issuerFacts[name]?.mark ?? '');
  const account = settings.dnsAccounts.find(({ name }) => name === domain.dnsAccount);
  const dnsMark = domain.dnsAccount && `${domain.dnsAccount} ${account?.mark ?? ''}`;
  return policies.flatMap((policy) =>
    domain.keyTypes.map((keyType) => ({
      id: lineageId(policy.id, keyClassOf(keyType)),
      policy,
      wanted: wantedOf(policy, keyType, { domain, settings }),
      issuerMarks,
      dnsMark: isDnsChallenge(policy.challenge) ? dnsMark : undefined,
    })),
  );
}

/**
 * From a wish and what is held to what is to be held. A changed wish, or a corrected issuer or DNS account at which it
 * failed, clears the ladder, which begins anew: the person may have mended what failed.
 */
export function stepOf(
  want: WantedLineage,
  held: HeldLineage | undefined,
  {
    request,
    isEased,
    settings,
    now,
  }: { request: Request | undefined; isEased: boolean; settings: Settings; now: Instant },
): Step {
  const asked = request?.policies.includes(want.policy.id) === true ? request : undefined;
  const before = held?.state ?? freshRenewal(want.id);
  const certificate = held?.certificate;
  const corrected = correctedIssuers(want, held?.lineage);
  const freed = corrected.filter((issuer) => hasFailedAt(issuer, before));
  const isSame =
    held !== undefined &&
    held.lineage.unwantedSince === undefined &&
    isSameSpec(held.lineage.wanted, want.wanted);
  const isProvenAnew = hasOtherAccount(want, held?.lineage) && hasFailedInDns(before);
  const isFreed = freed.length > 0 || isProvenAnew || (isEased && before.failures > 0);
  const isWoken = !isSame || asked !== undefined || isFreed;
  const paused = stillPaused(withoutPauses(before.paused, corrected), want.wanted.names);
  // What is not tried now, since it is paused, goes on counting as failing.
  const isCleared = (!isSame || isFreed) && paused === undefined;
  const leftOut = stillLeftOut(before.leftOut, want.wanted.names, certificate?.names ?? []);
  const state = {
    ...before,
    // Of names that nobody wanted for a while there is none.
    renewAt:
      before.renewAt ?? (certificate && pointOf(certificate, { settings: () => settings }, before.window)),
    failures: isCleared ? 0 : before.failures,
    retryAt: isWoken ? undefined : before.retryAt,
    leftOut: isWoken ? tryNow(leftOut, now) : before.leftOut,
    issuerFailures: without(before.issuerFailures, freed),
    blocked: isWoken ? undefined : before.blocked,
    paused,
    requested: requestedBy(asked, before, now),
  };
  const isMarked =
    String(held?.lineage.issuerMarks) === String(want.issuerMarks) && held?.lineage.dnsMark === want.dnsMark;
  return {
    lineage: lineageOf(want, held?.lineage, now),
    state,
    certificate,
    isChanged: isWoken || !isMarked,
    isWoken,
  };
}

/** A forced wish that failed still stands: whoever asks after it means that one too. */
function requestedBy(asked: Request | undefined, { requested }: RenewalState, now: Instant) {
  if (asked === undefined) return requested;
  return { at: now, force: asked.force || requested?.force === true, task: asked.task };
}

function lineageOf(
  { id, policy, wanted, issuerMarks, dnsMark }: WantedLineage,
  held: Lineage | undefined,
  now: Instant,
): Lineage {
  return {
    id,
    source: 'acme',
    domain: policy.domain,
    policy: policy.id,
    label: policy.label,
    wanted,
    issuerMarks,
    dnsMark,
    createdAt: held?.createdAt ?? now,
    current: held?.current,
    generations: held?.generations ?? [],
  };
}

/** Issuers whose directory, account or trust is another one in the file than when the lineage was last looked at. */
function correctedIssuers({ wanted, issuerMarks }: WantedLineage, held: Lineage | undefined): string[] {
  const before = new Map(held?.wanted.issuers.map((name, index) => [name, held.issuerMarks?.[index]]));
  return wanted.issuers.filter((name, index) => {
    const mark = before.get(name);
    return mark !== undefined && mark !== issuerMarks?.[index];
  });
}

function hasFailedAt(issuer: string, { failures, lastFailure, issuerFailures }: RenewalState): boolean {
  return (issuerFailures[issuer] ?? 0) > 0 || (failures > 0 && lastFailure?.issuer === issuer);
}

/** Another DNS account proves the names, or one with other credentials, than when the lineage was last looked at. */
function hasOtherAccount({ dnsMark }: WantedLineage, held: Lineage | undefined): boolean {
  return held?.dnsMark !== undefined && held.dnsMark !== dnsMark;
}

function hasFailedInDns({ failures, lastFailure }: RenewalState): boolean {
  return failures > 0 && /^(provider|dns|challenge)\./.test(lastFailure?.code ?? '');
}

function without(
  faults: RenewalState['issuerFailures'],
  issuers: readonly string[],
): RenewalState['issuerFailures'] {
  return Object.fromEntries(Object.entries(faults).filter(([issuer]) => !issuers.includes(issuer)));
}

function isSameSpec(a: WantedSpec, b: WantedSpec): boolean {
  const text = ({ names, keyType, issuers, directories, challenge, profile }: WantedSpec) =>
    JSON.stringify([
      [...names].sort(),
      keyType,
      issuers,
      directories,
      challenge,
      profile?.name,
      profile?.required,
    ]);
  return text(a) === text(b);
}
