import { createHash } from 'node:crypto';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Deployer, DeployRequest } from '../core/ports.ts';
import { awsFields, awsNotes, keysTogether } from '../plugin/aws-client.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { type AcmCertificate, createAcmApi } from './aws-acm-api.ts';
import { createHaste } from './aws-acm-haste.ts';
import { fingerprintOf } from './fingerprint.ts';
import { pemFiles } from './pem-files.ts';
import { createTurns } from './turns.ts';

const options = z
  .strictObject({
    region: z
      .string()
      .min(1)
      .describe('Where the load balancers are; us-east-1 for CloudFront. One target for each region.'),
    ...awsFields,
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .default({})
      .describe('More tags of new certificates, beside acme-agent and Name.'),
  })
  .refine(...keysTogether);

type Options = z.infer<typeof options>;
type Slot = DeployRequest['slot'];

const slotTag = 'acme-agent';
const policy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: [
        'acm:ListCertificates',
        'acm:ListTagsForCertificate',
        'acm:GetCertificate',
        'acm:ImportCertificate',
        'acm:AddTagsToCertificate',
        'acm:DeleteCertificate',
      ],
      Resource: '*',
    },
  ],
};

/** Imported certificates of AWS Certificate Manager, for load balancers, CloudFront and their like. */
export const awsAcm = defineDeployTarget<Options>({
  name: 'aws-acm',
  title: 'AWS Certificate Manager',
  docs: 'https://docs.aws.amazon.com/acm/latest/userguide/import-certificate.html',
  options,
  notes: [
    `Least rights: ${JSON.stringify(policy)}`,
    ...awsNotes,
    'Each label and key class is one certificate whose ARN stays: the first import makes it, the next ones replace what is in it. It is found again by its tag acme-agent, so what lost its answer is not imported twice.',
    'ACM takes no other key type, and no certificate with fewer key usages, into an ARN that it has; then it refuses in its own words. Delete that certificate in ACM: the next deployment makes a new one.',
    'ACM takes no certificate before its validity begins. It lets an account import a number of certificates a year (5,000 where nothing else was agreed, with 2,500 held at once), so one that is there is not imported again.',
    'ACM takes about one import a second; the others of a crowd come back within seconds, for a quarter of an hour before that counts as a failure.',
    'What is observed is the certificate that ACM has; services that use it take it up within minutes. The key cannot be read back. Not tried against the real ACM.',
  ],
  create: createAcmTarget,
});

function createAcmTarget({ tags, ...aws }: Options, context: PluginContext): Deployer {
  const { name, log, state, clock } = context;
  const api = createAcmApi(aws, context);
  const inTurn = createTurns();
  const haste = createHaste(clock);
  const account = `${aws.region}:${aws.accessKeyId ?? aws.profile ?? ''}`;
  const memory = (slot: Slot) => `arn:${account}:${hashOf(slot)}`;

  async function remembered(slot: Slot, signal: AbortSignal): Promise<AcmCertificate | undefined> {
    const arn = await state.get(memory(slot));
    return arn ? api.get(arn, signal) : undefined;
  }

  const tagged = (slot: Slot, signal: AbortSignal) => api.tagged(slot, [slotTag, hashOf(slot)], signal);

  async function held(slot: Slot, signal: AbortSignal): Promise<AcmCertificate | undefined> {
    const known = await remembered(slot, signal);
    if (known !== undefined) return known;
    const [arn] = await tagged(slot, signal);
    return arn === undefined ? undefined : api.get(arn, signal);
  }

  /** The one to import into. Two processes that imported at once made two: the first in order stays. */
  async function settled(slot: Slot, signal: AbortSignal): Promise<AcmCertificate | undefined> {
    const known = await remembered(slot, signal);
    if (known !== undefined) return known;
    const [arn, ...spare] = await tagged(slot, signal);
    for (const one of spare) await api.remove(one, signal);
    return arn === undefined ? undefined : api.get(arn, signal);
  }

  async function put({ bundle, slot }: DeployRequest, signal: AbortSignal): Promise<string> {
    const pem = pemFiles(bundle);
    const chain = bundle.chainDer.length === 0 ? '' : pem['chain.pem'];
    const wanted = { cert: pem['cert.pem'], chain };
    const before = await settled(slot, signal);
    const key = pem['privkey.pem'];
    const all = { ...tags, Name: tags.Name ?? tagText(slot.label), [slotTag]: hashOf(slot) };
    const arn =
      before !== undefined && isSame(before, wanted)
        ? before.arn
        : await api.put({ ...wanted, key, arn: before?.arn, tags: all }, signal);
    await state.set(memory(slot), arn);
    const found = await api.get(arn, signal);
    if (found === undefined)
      throw new AgentError('deploy.mismatch', `ACM does not have ${arn} that it just took`);
    log.info({ target: name, lineage: slot.lineage, arn }, 'ACM has the certificate');
    return observedIn(found);
  }

  return {
    name,
    async deploy(request, signal) {
      signal.throwIfAborted();
      const slot = hashOf(request.slot);
      try {
        const observed = await inTurn(slot, () => put(request, signal));
        haste.forget(slot);
        return { observed };
      } catch (error) {
        const again = haste.next(slot, error);
        if (again === undefined) throw error;
        return { again };
      }
    },
    async observe(slot, signal) {
      const found = await held(slot, signal);
      return found && observedIn(found);
    },
    async remove(slot, signal) {
      signal.throwIfAborted();
      await inTurn(hashOf(slot), async () => {
        const known = await state.get(memory(slot));
        const arns = new Set([...(known ? [known] : []), ...(await tagged(slot, signal))]);
        for (const arn of arns) if (!(await api.remove(arn, signal))) throw inUse(arn);
        await state.set(memory(slot), '');
      });
    },
    check: api.reach,
  };
}

/** Tags hold no asterisk. */
function hashOf({ domain, label, keyClass }: Slot): string {
  return createHash('sha256').update(`${domain}\0${label}\0${keyClass}`).digest('hex');
}

function tagText(label: string): string {
  return label.replace('*', 'wildcard');
}

function isSame(
  a: Pick<AcmCertificate, 'cert' | 'chain'>,
  b: Pick<AcmCertificate, 'cert' | 'chain'>,
): boolean {
  return plain(a.cert) === plain(b.cert) && plain(a.chain) === plain(b.chain);
}

function plain(pem: string): string {
  return pem.replace(/\s/g, '');
}

function observedIn({ arn, cert }: AcmCertificate): string {
  try {
    return fingerprintOf(cert);
  } catch (cause) {
    throw new AgentError('deploy.mismatch', `${arn} of ACM is no certificate`, { cause });
  }
}

function inUse(arn: string): AgentError {
  const advice =
    'Take it away from the load balancers, distributions and domains that use it, or leave it there.';
  return new AgentError('deploy.target', `ACM keeps ${arn}: something still uses it`, {
    retry: 'blocked',
    advice,
  });
}
