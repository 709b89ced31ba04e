import type { AcmeLayer } from '../acme/index.ts';
import { createPreflight } from '../challenge/preflight.ts';
import type { LoadedConfig } from '../config/config.ts';
import { AgentError } from '../core/errors.ts';
import type { Validator } from '../core/http.ts';
import type { Ports, Preflight } from '../core/ports.ts';
import { createCaaLookup } from '../dns/caa-lookup.ts';
import { lookUpHost } from '../dns/host-lookup.ts';
import type { RecursiveResolver } from '../dns/index.ts';
import { createPrivateCheck } from '../http/private.ts';

export interface PreflightParts extends Pick<Ports, 'tokens' | 'clock'> {
  readonly acme: Pick<AcmeLayer, 'check'>;
  readonly http: Validator;
  readonly resolver: RecursiveResolver;
}

export interface OwnPreflight extends Preflight {
  close(): void;
}

/** Looks at names with the resolvers, ports and identities that the configuration and the CAs name. */
export function preflightOf({ config }: Pick<LoadedConfig, 'config'>, parts: PreflightParts): OwnPreflight {
  const { acme, http, resolver, tokens, clock } = parts;
  const stop = new AbortController();
  const validations = new Map(config.issuers.map(({ name, validation }) => [name, validation]));
  const { look } = createPreflight({
    caa: createCaaLookup({ resolver, clock, closing: stop.signal }),
    ca: async (issuer, signal) => {
      const { caaIdentities: identities, account } = await acme.check(issuer, signal);
      return { identities, account };
    },
    lookUpHost: (name, signal) => lookUpHost(name, resolver, signal),
    isPrivate: createPrivateCheck([]),
    validationAt: (issuer) => validations.get(issuer),
    http,
    tokens,
    clock,
  });
  const close = () => stop.abort(new AgentError('dns.query', 'the agent stops'));
  return { look, close };
}
