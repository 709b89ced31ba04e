import { AgentError } from '../core/errors.ts';
import type { Deployer, DeployRequest } from '../core/ports.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import {
  createSignedPost,
  type PostFault,
  type SignedPostOptions,
  signatureNote,
  signedPostOptions,
} from '../plugin/signed-post.ts';
import { pemFiles } from './pem-files.ts';
import { createTold } from './told.ts';

/** Tells a program that there is a certificate, and what is public of it; it fetches the key, if it needs one, elsewhere. */
export const webhook = defineDeployTarget<SignedPostOptions>({
  name: 'webhook',
  title: 'Signed HTTP POST of the public facts',
  options: signedPostOptions,
  notes: [
    'The body is JSON: { "version": 1, "event": "deployed", "target", "lineage", "domain", "label", "keyClass", "certificate": { "fingerprint", "serial", "names", "source", "issuer", "notBefore", "notAfter", "pem" } }; event "removed" has no certificate. Instants are milliseconds since 1970 (UTC), pem is the certificate with its chain. The private key is never sent.',
    signatureNote,
    'Any 2xx answer takes it, and then the certificate counts as deployed: nothing can be read back, so what the receiver was told last stands for what was observed. Other answers are tried again; the same certificate can come twice.',
  ],
  create: createWebhookTarget,
});

function createWebhookTarget(chosen: SignedPostOptions, context: PluginContext): Deployer {
  const { name, log } = context;
  const post = createSignedPost(chosen, context, failure);
  const told = createTold(context.state);

  return {
    name,
    async deploy({ bundle, slot }, signal) {
      signal.throwIfAborted();
      const { fingerprint, serial, names, source, issuerName, notBefore, notAfter } = bundle.certificate;
      const pem = pemFiles(bundle)['fullchain.pem'];
      const facts = { fingerprint, serial, names, source, issuer: issuerName, notBefore, notAfter, pem };
      await post.send(message('deployed', slot, { target: name, certificate: facts }), signal);
      await told.note(slot, fingerprint);
      log.info({ target: name, lineage: slot.lineage, serial }, 'the receiver was told of the certificate');
      return { observed: fingerprint };
    },
    observe: (slot) => told.last(slot),
    async remove(slot, signal) {
      signal.throwIfAborted();
      if ((await told.last(slot)) === undefined) return;
      await post.send(message('removed', slot, { target: name }), signal);
      await told.note(slot, undefined);
    },
    check: post.reach,
  };
}

function message(
  event: 'deployed' | 'removed',
  { lineage, domain, label, keyClass }: DeployRequest['slot'],
  more: object,
): string {
  return JSON.stringify({ version: 1, event, lineage, domain, label, keyClass, ...more });
}

/** What is refused for good still has its turn once a day. */
function failure({ message: words, mayChange, ...detail }: PostFault): AgentError {
  const advice = 'Check the receiver: its URL, the secret that both sides know, and what it says in its log.';
  return new AgentError('deploy.target', words, {
    ...detail,
    advice,
    retry: mayChange ? 'later' : 'blocked',
  });
}
