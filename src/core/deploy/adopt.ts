import { slotOf } from '../policies.ts';
import type { Ports } from '../ports.ts';
import { takeOver } from '../renewal/take-over.ts';
import type { Bundle, Certificate, Domain, Lineage, Settings } from '../types.ts';
import { atTarget } from './at-target.ts';

export type AdoptNeeds = Pick<
  Ports,
  'certificates' | 'wishes' | 'renewals' | 'changes' | 'deployers' | 'pki' | 'clock' | 'log'
> & { readonly settings: () => Settings };

/**
 * For a store that begins anew beside targets that did not: lineages without a certificate take what lies at their
 * targets, if it is whole, valid, for their names and not self-signed. Resolves with how many did.
 */
export async function adoptDeployed(needs: AdoptNeeds, signal: AbortSignal): Promise<number> {
  let adopted = 0;
  for (const lineage of await needs.certificates.lineages()) {
    const domain = await needs.wishes.domain(lineage.domain);
    if (lineage.source !== 'acme' || lineage.current !== undefined || domain === undefined) continue;
    const bundle = await find(lineage, domain, needs, signal);
    if (bundle === undefined) continue;
    await take(lineage, bundle, needs);
    adopted++;
  }
  return adopted;
}

async function find(
  lineage: Lineage,
  domain: Domain,
  { deployers, pki, clock, log }: AdoptNeeds,
  signal: AbortSignal,
): Promise<Bundle | undefined> {
  for (const target of domain.deploy) {
    try {
      const deployer = deployers.get(target);
      const around = { clock, signal };
      const pem = await atTarget(deployer, async (both) => deployer.read?.(slotOf(lineage), both), around);
      if (pem === undefined) continue;
      const { privateKey } = pem;
      const now = clock.now();
      const facts = pki.readIssued(pem.chainPem, { names: lineage.wanted.names, privateKey, now });
      const { leafDer, chainDer, ...rest } = facts;
      // Without an issuer certificate it is our own fallback, or nobody can tell.
      if (chainDer.length === 0) continue;
      const certificate: Certificate = {
        ...rest,
        lineage: lineage.id,
        generation: 1,
        source: 'acme',
        issuer: lineage.wanted.issuers[0],
        issuedAt: rest.notBefore,
        wanted: lineage.wanted,
      };
      return { certificate, leafDer, chainDer, privateKey };
    } catch (err) {
      log.info({ lineage: lineage.id, target, err }, 'what lies at the target is not taken over');
    }
  }
  return undefined;
}

async function take(lineage: Lineage, generation: Bundle, needs: AdoptNeeds): Promise<void> {
  const { certificate } = generation;
  await takeOver({ lineage, generation, reason: 'adopted' }, needs);
  needs.log.info(
    { lineage: lineage.id, serial: certificate.serial },
    'certificate taken over from its target',
  );
}
