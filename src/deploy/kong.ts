import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Deployer, DeployRequest } from '../core/ports.ts';
import { secret } from '../core/secret.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { secretText } from '../plugin/fields.ts';
import { createAdminApi } from './admin-api.ts';
import { fingerprintOf } from './fingerprint.ts';
import { certificateOf, type KongParts, kongCertificate, kongId, namesIn, partsOf } from './kong-pair.ts';
import { deployedIn } from './observed.ts';
import { pemPair } from './pem-files.ts';
import { createTurns } from './turns.ts';

const options = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .default('http://127.0.0.1:8001')
    .describe(
      'The Admin API, with the workspace if there is one. Keys go over it: on another machine https only.',
    ),
  headers: z
    .record(z.string().regex(/^[\w-]+$/), secretText())
    .default({})
    .describe('Headers that it wants to see, such as Kong-Admin-Token.'),
  tags: z
    .array(z.string().regex(/^[\w.~:@-]+$/, 'must be of letters, digits and .~:@_-'))
    .default([])
    .describe('More tags of the certificates, beside managed-by-acme-agent.'),
});

type Options = z.infer<typeof options>;

const nodeFacts = z.object({ configuration: z.object({ database: z.string() }) });

const advice =
  'Check that the Admin API is where the target says, and that its headers let the agent read and write certificates.';

/** Certificates and SNIs in the database of Kong, which all its nodes read. */
export const kong = defineDeployTarget<Options>({
  name: 'kong',
  title: 'Kong Gateway over its Admin API',
  docs: 'https://developer.konghq.com/gateway/entities/certificate/',
  options,
  notes: [
    'For Kong 3 nodes with a database: without one the Admin API takes no changes (405). Konnect has another API. Not tried against a real Kong; made by its sources and documentation.',
    'Each label is one certificate of Kong whose id never changes; an RSA certificate and an ECDSA one are its cert and cert_alt. One request replaces certificate, key and SNIs; Kong adds new SNIs before it drops others, so no name is ever without.',
    'SNIs are the DNS names in the certificate, *.example.com as it is; Kong matches a wildcard only for names of three labels and more.',
    'A name that another certificate has in any workspace of Kong is refused, and nothing is changed: remove that SNI in Kong first.',
    'Nodes take a change up within db_update_frequency (5 s); what is observed is the database.',
  ],
  create: createKongTarget,
});

function createKongTarget({ url, headers, tags }: Options, context: PluginContext): Deployer {
  const { name, log } = context;
  const inTurn = createTurns();
  const api = createAdminApi(
    {
      vendor: 'Kong',
      baseUrl: url,
      advice,
      secrets: Object.values(headers),
      auth: () => Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, value.reveal()])),
    },
    context,
  );

  async function held(slot: DeployRequest['slot'], signal: AbortSignal) {
    const path = `/certificates/${kongId(slot)}`;
    const doing = `for the certificate of ${slot.label}`;
    return api.find(kongCertificate, { doing, path }, signal);
  }

  async function write(slot: DeployRequest['slot'], parts: KongParts, signal: AbortSignal): Promise<void> {
    const path = `/certificates/${kongId(slot)}`;
    const json = certificateOf(parts, ['managed-by-acme-agent', ...tags]);
    const secrets = [parts.ec, parts.rsa].flatMap((part) => (part === undefined ? [] : [secret(part.key)]));
    await (json === undefined
      ? api.send(
          { doing: `to delete the certificate of ${slot.label}`, path, method: 'DELETE', accept: [404] },
          signal,
        )
      : api.send(
          { doing: `to take the certificate of ${slot.label}`, path, method: 'PUT', json, secrets },
          signal,
        ));
  }

  const observe: Deployer['observe'] = async (slot, signal) => {
    const certificate = await held(slot, signal);
    const part = certificate && partsOf(certificate)[slot.keyClass];
    if (part === undefined) return undefined;
    const missing = namesIn(part.cert).filter((one) => certificate?.snis?.includes(one) !== true);
    if (missing.length === 0) return fingerprintOf(part.cert);
    throw new AgentError(
      'deploy.mismatch',
      `Kong has the certificate of ${slot.label} without the SNI ${missing[0]}`,
    );
  };

  /** The other key class stays as it is. */
  function change(
    slot: DeployRequest['slot'],
    edit: (parts: KongParts) => KongParts,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    return inTurn(kongId(slot), async () => {
      const before = await held(slot, signal);
      await write(slot, edit(before === undefined ? {} : partsOf(before)), signal);
    });
  }

  /** Lists are answered there too. Who may not read the node's own facts is not told. */
  async function isWithoutDatabase(signal: AbortSignal): Promise<boolean> {
    const { body } = await api.send(
      { doing: 'how it is configured', path: '/', accept: [401, 403, 404] },
      signal,
    );
    return nodeFacts.safeParse(body).data?.configuration.database === 'off';
  }

  return {
    name,
    async deploy({ bundle, slot }, signal) {
      signal.throwIfAborted();
      await change(slot, (parts) => ({ ...parts, [slot.keyClass]: pemPair(bundle) }), signal);
      const observed = await observe(slot, signal);
      if (observed === undefined)
        throw new AgentError(
          'deploy.mismatch',
          `Kong does not have the certificate of ${slot.label} that it just took`,
        );
      log.info({ target: name, lineage: slot.lineage }, 'Kong has the certificate');
      return { observed };
    },
    observe,
    async read(slot, signal) {
      const certificate = await held(slot, signal);
      const part = certificate && partsOf(certificate)[slot.keyClass];
      return part && deployedIn(`${part.key}\n${part.cert}`);
    },
    async remove(slot, signal) {
      await change(slot, (parts) => ({ ...parts, [slot.keyClass]: undefined }), signal);
    },
    async check(signal) {
      await api.send({ doing: 'to list certificates', path: '/certificates', query: { size: 1 } }, signal);
      if (await isWithoutDatabase(signal))
        throw new AgentError(
          'deploy.target',
          'Kong has no database, so its Admin API takes no certificates',
          {
            retry: 'blocked',
            advice:
              'Name the Admin API of a node with a database; of a hybrid deployment that of its control plane.',
          },
        );
    },
  };
}
