import { createHash } from 'node:crypto';
import { addressText } from '../address.ts';
import { covers, isWildcard } from '../names.ts';
import { fallbackId, isDual, keyClassOf } from '../policies.ts';
import type { Ports, ProbeQuestion, Sight } from '../ports.ts';
import { lineagesFor } from '../shown.ts';
import type { Certificate, Deployment, Domain, Lineage, ServerAddress, Settings } from '../types.ts';
import { type ExpectedCertificates, judge, type ProbeFinding } from './sight.ts';

export type ProbePlaceNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'deployments' | 'prober' | 'clock' | 'log'
> & {
  readonly settings: () => Settings;
  /** Addresses that were not reached, to be asked no more in this round; those that turn out so are added. */
  readonly unreached?: Set<string> | undefined;
};

/** The place of one lineage at one target, where what it should show has been put. */
export interface ProbedPlace {
  readonly domain: Pick<Domain, 'name' | 'keyTypes'>;
  readonly lineage: Lineage;
  readonly deployment: Deployment;
  /** What was put there. */
  readonly shown: Certificate;
  readonly addresses: readonly ServerAddress[];
}

/** So many of the names of one place are asked for in one look. */
const mostNames = 10;

/** undefined: the target is not probed, or what it should show is still on its way there. */
export async function probedPlace(
  deployment: Deployment,
  lineage: Lineage,
  domain: Domain,
  { certificates, settings }: Pick<ProbePlaceNeeds, 'certificates' | 'settings'>,
): Promise<ProbedPlace | undefined> {
  const { observed, failures, target } = deployment;
  const addresses = settings().probes?.[target] ?? [];
  if (addresses.length === 0 || observed === undefined || failures > 0 || !domain.deploy.includes(target))
    return undefined;
  const isFallback = observed.source === 'self-signed';
  // Where each kind of key has its place, both show the fallback, which has one.
  if (isFallback && isDual(domain.keyTypes)) return undefined;
  const whose = isFallback ? fallbackId(lineage.policy ?? lineage.id) : (observed.lineage ?? lineage.id);
  const shown = await certificates.certificate(whose);
  return shown?.fingerprint === observed.fingerprint
    ? { domain, lineage, deployment, shown, addresses }
    : undefined;
}

/** What clients are shown of a place, at each address and for each name. */
export async function lookAtPlace(
  place: ProbedPlace,
  needs: ProbePlaceNeeds,
  signal: AbortSignal,
): Promise<readonly ProbeFinding[]> {
  const names = await namesToAsk(place, needs);
  const found = await Promise.all(names.map((name) => lookForName(name, place, needs, signal)));
  return found.flat();
}

/** The same for one name that the place shows a certificate for. */
export async function lookForName(
  name: string,
  place: ProbedPlace,
  needs: ProbePlaceNeeds,
  signal: AbortSignal,
): Promise<readonly ProbeFinding[]> {
  const { addresses, domain, deployment, lineage } = place;
  const keyClass = isDual(domain.keyTypes) ? keyClassOf(lineage.wanted.keyType) : undefined;
  const expected = await expectedAt(name, { domain, targets: [deployment.target] }, needs);
  const asked = addresses.map((at) => askOnce({ at, name, keyClass }, expected, needs, signal));
  return (await Promise.all(asked)).flat();
}

/** An address that is silent costs its time once. */
async function askOnce(
  question: ProbeQuestion,
  expected: ExpectedCertificates,
  needs: ProbePlaceNeeds,
  signal: AbortSignal,
): Promise<readonly ProbeFinding[]> {
  const { at, name, keyClass } = question;
  const address = addressText(at);
  if (needs.unreached?.has(address) === true)
    return [{ name, address, keyClass, level: 'unknown', message: 'is not reached from here' }];
  const findings = await askFor(question, expected, needs, signal);
  if (needs.unreached !== undefined && findings.every(({ level }) => level === 'unknown')) {
    needs.unreached.add(address);
    needs.log.info({ address, findings: findings.map(({ message }) => message) }, 'not reached by a probe');
  }
  return findings;
}

/** Asks one address, or all that it has, and judges what is seen. */
export async function askFor(
  question: ProbeQuestion,
  expected: ExpectedCertificates,
  needs: Pick<ProbePlaceNeeds, 'prober' | 'certificates' | 'clock'>,
  signal: AbortSignal,
): Promise<readonly ProbeFinding[]> {
  const { name, keyClass } = question;
  const sights = await needs.prober.look(question, signal);
  return Promise.all(
    sights.map(async (sight) => {
      const top = await topOf(sight, expected, needs);
      return judge(sight, { name, keyClass, expected, top, now: needs.clock.now() });
    }),
  );
}

/** What these targets were last seen to have for a name, of its own domain's places. */
export async function expectedAt(
  name: string,
  { domain, targets }: { readonly domain: Pick<Domain, 'name'>; readonly targets: readonly string[] },
  needs: Pick<ProbePlaceNeeds, 'wishes' | 'certificates' | 'deployments'>,
): Promise<ExpectedCertificates> {
  const ids = await lineagesFor(name, domain, needs);
  const all = await Promise.all(ids.map((id) => needs.deployments.of(id)));
  const seen = all.flat().filter(({ target }) => targets.includes(target));
  return new Map(
    seen.flatMap(({ observed, lineage }) =>
      observed === undefined ? [] : [[observed.fingerprint, observed.lineage ?? lineage] as const],
    ),
  );
}

/** Only where the chain ends below a root that is not one of browsers: that of a CA of one's own, or an incomplete one. */
async function topOf(
  sight: Sight,
  expected: ExpectedCertificates,
  { certificates }: Pick<ProbePlaceNeeds, 'certificates'>,
): Promise<string | undefined> {
  if (sight.kind !== 'served' || sight.served.missing === undefined) return undefined;
  const [fingerprint = ''] = sight.served.chain;
  const lineage = expected.get(fingerprint);
  const bundle = lineage === undefined ? undefined : await certificates.bundle(lineage);
  if (bundle?.certificate.fingerprint !== fingerprint) return undefined;
  return createHash('sha256')
    .update(bundle.chainDer.at(-1) ?? bundle.leafDer)
    .digest('hex');
}

/** A wildcard is asked for by hosts that it covers; a name that the certificate does without is not asked for. */
async function namesToAsk(
  { domain, lineage, shown }: ProbedPlace,
  { wishes }: Pick<ProbePlaceNeeds, 'wishes'>,
): Promise<readonly string[]> {
  const covered = (name: string) => shown.names.some((pattern) => covers(pattern, name));
  const wanted = lineage.wanted.names.filter((name) => !isWildcard(name));
  const stars = lineage.wanted.names.filter(isWildcard);
  const hosts = stars.length === 0 ? [] : (await wishes.hosts(domain.name)).map(({ name }) => name);
  const under = hosts.filter((host) => stars.some((star) => covers(star, host)));
  return [...new Set([...wanted, ...under])].filter(covered).slice(0, mostNames);
}
