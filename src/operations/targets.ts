import { hasPlace, readShowing } from '../core/deploy/holdings.ts';
import { chosenFor, type Showing } from '../core/deploy/showing.ts';
import type { Rank } from '../core/precedence.ts';
import { deploymentId } from '../core/records.ts';
import type { Amiss, Certificate, Deployment, Domain, Failure, Instant, Lineage } from '../core/types.ts';
import type { OperationNeeds } from './define.ts';
import { withAdvice } from './words.ts';

/** Facts of a certificate that a target shows or should show. */
export type ShownFacts = Pick<
  Certificate,
  'lineage' | 'source' | 'names' | 'issuer' | 'issuerName' | 'notAfter' | 'serial' | 'fingerprint'
>;

/** What a target was seen to show, against what it should. */
export interface TargetView {
  readonly target: string;
  /** same: what it should · other: something else · nothing: nothing was seen there yet. */
  readonly shows: 'same' | 'other' | 'nothing';
  readonly seenAt?: Instant | undefined;
  readonly source?: Certificate['source'] | undefined;
  /** Absent: nothing was seen, or a certificate that is no longer held. */
  readonly seen?: ShownFacts | undefined;
  /** Deployments that failed in a row. */
  readonly failures: number;
  readonly lastError?: Failure | undefined;
  /** Clients are shown something else there, as a probe saw. */
  readonly amiss?: Pick<Amiss, 'since' | 'at' | 'message'> | undefined;
  /** Of a target that is behind or in trouble: when it is tried next. */
  readonly nextAt?: Instant | undefined;
}

export interface Shown {
  /** By what right that comes first there. */
  readonly rank?: Rank | undefined;
  /** What the targets should show at this moment. */
  readonly wanted?: ShownFacts | undefined;
  /** One view for each target of the domain, in its order. */
  readonly targets: readonly TargetView[];
}

/** done: all targets show what they should · waiting: a deployment has still to run · failing: the last one failed. */
export type Placing = 'done' | 'waiting' | 'failing';

type Needs = Pick<
  OperationNeeds,
  'wishes' | 'certificates' | 'bindings' | 'renewals' | 'deployments' | 'due' | 'clock' | 'settings'
>;

/** What the targets should show in the place of a lineage, and what they were seen to show. */
export async function shownOf({ lineage }: { readonly lineage: Lineage }, needs: Needs): Promise<Shown> {
  const known = await needs.wishes.domain(lineage.domain);
  const gone = {
    name: lineage.domain,
    keyTypes: [lineage.wanted.keyType],
    deploy: [],
    disabledAt: undefined,
  };
  const domain: Pick<Domain, 'name' | 'keyTypes' | 'deploy' | 'disabledAt'> = known ?? gone;
  // What nobody asks for any more stays where it was placed.
  const isLeft = lineage.unwantedSince !== undefined;
  if (!isLeft && !(await hasPlace(lineage, domain, needs))) return { targets: [] };
  const [showing, deployments] = await Promise.all([
    readShowing(lineage, domain, needs),
    needs.deployments.of(lineage.id),
  ]);
  const shown = await knownOf(showing, needs);
  const choice = chosenFor(showing, needs.clock.now());
  const wanted = choice?.candidate.certificate;
  const targets = domain.deploy.map(async (target): Promise<TargetView> => {
    const isProbed = needs.settings().probes?.[target] !== undefined;
    const seen = viewOf(target, { wanted, known: shown, deployments });
    // What nobody looks at any more may long be mended.
    const view = isProbed ? seen : { ...seen, amiss: undefined };
    const isBehind = view.shows !== 'same' || view.failures > 0 || view.amiss !== undefined;
    const nextAt = isBehind ? await needs.due.at('deploy', deploymentId(target, lineage.id)) : undefined;
    return { ...view, nextAt };
  });
  return {
    rank: choice?.rank,
    wanted: wanted === undefined ? undefined : factsOf(wanted),
    targets: await Promise.all(targets),
  };
}

/** All that may be recognised at a target: earlier generations of its own too. */
async function knownOf(
  { lineage, fallback, rivals }: Showing,
  { certificates }: Pick<Needs, 'certificates'>,
): Promise<readonly Certificate[]> {
  const standIn = fallback && (await certificates.lineage(fallback.certificate.lineage));
  const [own, stood] = await Promise.all([
    generationsOf(lineage, { certificates }),
    generationsOf(standIn, { certificates }),
  ]);
  return [...own, ...stood, ...rivals.map(({ certificate }) => certificate)];
}

/** Facts of all generations held, newest first. */
export async function generationsOf(
  lineage: Lineage | undefined,
  { certificates }: Pick<Needs, 'certificates'>,
): Promise<readonly Certificate[]> {
  if (lineage === undefined) return [];
  const all = await Promise.all(
    lineage.generations.map((number) => certificates.certificate(lineage.id, number)),
  );
  return all.filter((facts) => facts !== undefined).reverse();
}

/** How far a certificate has come at the targets that should show it. */
export function placingOf(
  wanted: Pick<Certificate, 'fingerprint'> | undefined,
  targets: readonly TargetView[],
): Placing {
  if (targets.some(({ failures }) => failures > 0)) return 'failing';
  return wanted === undefined || targets.every(({ shows }) => shows === 'same') ? 'done' : 'waiting';
}

/** By the record of the deployment alone; `known`: the certificates that may be recognised there. */
export function viewOf(
  target: string,
  {
    wanted,
    known = [],
    deployments,
  }: {
    wanted: Certificate | undefined;
    known?: readonly Certificate[] | undefined;
    deployments: readonly Deployment[];
  },
): TargetView {
  const deployment = deployments.find((one) => one.target === target);
  const { observed, failures = 0, lastFailure, amiss } = deployment ?? {};
  const seen = known.find(({ fingerprint }) => fingerprint === observed?.fingerprint);
  const isSame = observed?.fingerprint === wanted?.fingerprint;
  return {
    target,
    shows: observed === undefined ? 'nothing' : isSame ? 'same' : 'other',
    seenAt: observed?.at,
    source: observed?.source,
    seen: seen === undefined ? undefined : factsOf(seen),
    failures,
    lastError: failures === 0 ? undefined : lastFailure && withAdvice(lastFailure),
    amiss: amiss && { since: amiss.since, at: amiss.at, message: amiss.message },
  };
}

function factsOf(certificate: Certificate): ShownFacts {
  const { lineage, source, names, issuer, issuerName, notAfter, serial, fingerprint } = certificate;
  return { lineage, source, names, issuer, issuerName, notAfter, serial, fingerprint };
}
