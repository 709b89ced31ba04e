import { AgentError } from '../core/errors.ts';
import { defineNotifier } from '../plugin/define.ts';
import {
  createSignedPost,
  type SignedPostOptions,
  signatureNote,
  signedPostOptions,
} from '../plugin/signed-post.ts';

export const webhook = defineNotifier<SignedPostOptions>({
  name: 'webhook',
  title: 'HTTP POST for programs',
  options: signedPostOptions,
  notes: [
    'The body is JSON: { "version": 1, "notices": [...] }; instants are milliseconds since 1970 (UTC).',
    signatureNote,
    'A notice can come twice; its id stays the same. Any 2xx answer takes the notices; other answers are tried again.',
  ],
  create: (chosen, context) => {
    const post = createSignedPost(
      chosen,
      context,
      ({ message, mayChange, ...detail }) =>
        new AgentError(mayChange ? 'notify.failed' : 'notify.rejected', message, detail),
    );
    return {
      name: context.name,
      digest: false,
      send: (notices, _recipient, signal) => post.send(JSON.stringify({ version: 1, notices }), signal),
      check: post.reach,
    };
  },
});
