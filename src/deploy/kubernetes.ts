import { z } from 'zod';
import { AgentError, isAgentError } from '../core/errors.ts';
import type { Deployer, DeployRequest } from '../core/ports.ts';
import { secret } from '../core/secret.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { pairFingerprint } from './fingerprint.ts';
import { accessFields, advice, createKubernetesApi } from './kubernetes-api.ts';
import {
  isOf,
  type KubernetesSecret,
  kubernetesSecret,
  pairIn,
  secretName,
  secretOf,
  slotIn,
  tlsType,
} from './kubernetes-secret.ts';
import { deployedIn } from './observed.ts';
import { type PemPair, pemPair } from './pem-files.ts';

const options = z.strictObject({
  ...accessFields,
  labels: z.record(z.string(), z.string()).default({}).describe('More labels of the secrets.'),
  adopt: z
    .boolean()
    .default(false)
    .describe('Take over TLS secrets of these names that are not of the agent; else they are never changed.'),
});

type Options = z.infer<typeof options>;
type Slot = DeployRequest['slot'];

/** Somebody else wrote in between: so often it is read again. */
const tries = 4;
const verbs = ['get', 'create', 'update', 'delete'] as const;

/** TLS secrets, as Ingress, Gateway and their like read them. */
export const kubernetes = defineDeployTarget<Options>({
  name: 'kubernetes',
  title: 'TLS secrets of Kubernetes',
  docs: 'https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets',
  options,
  notes: [
    'The secret of www.example.com is www.example.com.tls, that of *.example.com is example.com.wildcard; RSA certificates have -rsa behind it. For a label that cannot be such a name (an IPv6 address) its SHA-256 stands in its place.',
    'Least rights: a Role in that namespace with apiGroups [""], resources [secrets], verbs [get, create, update, delete].',
    'Ours have the label app.kubernetes.io/managed-by: acme-agent and the annotation acme-agent/certificate. A secret without them is left alone; with "adopt" one of type kubernetes.io/tls is taken over, and from then on treated as ours: it is deleted when nobody asks for the certificate any more.',
    'Certificate and key change in one request, and only if nobody else changed the secret meanwhile; other data in it stays. What is observed is the secret: its readers take it up by themselves.',
    'A server with "caFile", and that of the own cluster, is reached without a proxy. Not tried against a real cluster.',
  ],
  create: createKubernetesTarget,
});

function createKubernetesTarget({ labels, adopt, ...access }: Options, context: PluginContext): Deployer {
  const { name, log } = context;
  const api = createKubernetesApi(access, context);

  async function secrets(): Promise<string> {
    return `/api/v1/namespaces/${await api.namespace()}/secrets`;
  }

  async function pathOf(slot: Slot): Promise<string> {
    return `${await secrets()}/${secretName(slot)}`;
  }

  async function held(slot: Slot, signal: AbortSignal): Promise<KubernetesSecret | undefined> {
    const doing = `for the secret ${secretName(slot)}`;
    return api.find(kubernetesSecret, { doing, path: await pathOf(slot) }, signal);
  }

  /** Reads and writes until nobody came in between. */
  async function change(
    slot: Slot,
    write: (before: KubernetesSecret | undefined) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    for (let left = tries; ; left -= 1) {
      try {
        return await write(await held(slot, signal));
      } catch (error) {
        if (left === 1 || !isAgentError(error, 'deploy.target') || error.facts.status !== 409) throw error;
      }
    }
  }

  async function put(slot: Slot, pair: PemPair, signal: AbortSignal): Promise<void> {
    const sent = { doing: `to take the secret ${secretName(slot)}`, secrets: [secret(pair.key)] };
    const write = async (before: KubernetesSecret | undefined) => {
      if (before !== undefined && !isOf(slot, before)) refuseForeign(slot, before);
      if (before !== undefined && isOf(slot, before) && isSame(pairIn(before), pair)) return;
      if (before?.immutable === true)
        throw refused(
          `Kubernetes has a secret ${secretName(slot)} that is immutable`,
          'Delete it; the next deployment makes one that can be changed.',
        );
      const json = secretOf(slot, { pair, labels, before });
      await (before === undefined
        ? api.send({ ...sent, path: await secrets(), method: 'POST', json }, signal)
        : api.send({ ...sent, path: await pathOf(slot), method: 'PUT', json }, signal));
    };
    await change(slot, write, signal);
  }

  function refuseForeign(slot: Slot, before: KubernetesSecret): void {
    const what = `Kubernetes has a secret ${secretName(slot)}`;
    const whose = slotIn(before);
    if (whose !== undefined)
      throw refused(`${what} of another certificate (${whose})`, 'Use a namespace of its own for each.');
    if (before.type !== tlsType)
      throw refused(
        `${what} of type ${before.type}`,
        'Delete or rename it: the type of a secret cannot change.',
      );
    if (!adopt)
      throw refused(
        `${what} that is not of the agent`,
        'Delete or rename it, or let the target take it over: "adopt: true".',
      );
  }

  const observe: Deployer['observe'] = async (slot, signal) => {
    const found = await held(slot, signal);
    if (found === undefined || !isOf(slot, found)) return undefined;
    const fingerprint = pairFingerprint(pairIn(found));
    if (fingerprint !== undefined) return fingerprint;
    const what = `the secret ${secretName(slot)} of Kubernetes holds no certificate with its key`;
    throw new AgentError('deploy.mismatch', what);
  };

  return {
    name,
    async deploy({ bundle, slot }, signal) {
      await put(slot, pemPair(bundle), signal);
      const observed = await observe(slot, signal);
      if (observed === undefined)
        throw new AgentError(
          'deploy.mismatch',
          `Kubernetes does not have the secret ${secretName(slot)} that it just took`,
        );
      log.info({ target: name, lineage: slot.lineage }, 'Kubernetes has the certificate');
      return { observed };
    },
    observe,
    async read(slot, signal) {
      const found = await held(slot, signal);
      if (found === undefined || !isOf(slot, found)) return undefined;
      const { cert, key } = pairIn(found);
      return deployedIn(`${key}\n${cert}`);
    },
    async remove(slot, signal) {
      const path = await pathOf(slot);
      const write = async (before: KubernetesSecret | undefined) => {
        if (before === undefined || !isOf(slot, before)) return;
        const { uid, resourceVersion } = before.metadata;
        const json = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } };
        const doing = `to delete the secret ${secretName(slot)}`;
        await api.send({ doing, path, method: 'DELETE', json, accept: [404] }, signal);
      };
      await change(slot, write, signal);
    },
    async check(signal) {
      const namespace = await api.namespace();
      const missing = [];
      for (const verb of verbs) if (!(await may(verb, namespace, signal))) missing.push(verb);
      if (missing.length > 0)
        throw refused(
          `Kubernetes does not let this account ${missing.join(', ')} secrets in ${namespace}`,
          advice,
        );
    },
  };

  async function may(verb: string, namespace: string, signal: AbortSignal): Promise<boolean> {
    const json = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace, verb, resource: 'secrets' } },
    };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const answer = await api.send({ doing: 'what this account may do', path, json }, signal);
    return z.object({ status: z.object({ allowed: z.literal(true) }) }).safeParse(answer.body).success;
  }
}

function isSame(a: PemPair, b: PemPair): boolean {
  return a.cert === b.cert && a.key === b.key;
}

function refused(message: string, remedy: string): AgentError {
  return new AgentError('deploy.target', message, { retry: 'blocked', advice: remedy });
}
