import { type AcmeLayer, createAcme } from '../acme/index.ts';
import { createDns01Solver } from '../challenge/dns01.ts';
import { createHttp01Solver } from '../challenge/http01.ts';
import { createSolvers } from '../challenge/index.ts';
import { createRunChild } from '../child.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import type { Ports, Solvers } from '../core/ports.ts';
import { createDns, createResolver, type Dns } from '../dns/index.ts';
import { createHttp } from '../http.ts';
import type { PluginState } from '../plugin/context.ts';
import { createPlugins, type Plugins } from './plugins.ts';
import { version } from './version.ts';

/** What follows from one configuration file; replaced as a whole when the file changes. */
export interface Configured extends Plugins {
  readonly loaded: LoadedConfig;
  readonly acme: AcmeLayer;
  readonly dns: Dns;
  readonly solvers: Solvers;
  close(): Promise<void>;
}

export type ConfiguredNeeds = Pick<
  Ports,
  'accounts' | 'locks' | 'buckets' | 'journal' | 'tokens' | 'clock' | 'log'
> & {
  readonly environment: Environment;
  readonly pluginState: (owner: string) => PluginState;
};

export async function configure(loaded: LoadedConfig, needs: ConfiguredNeeds): Promise<Configured> {
  const { config } = loaded;
  const { clock, log, environment } = needs;
  const { allowPrivate, proxyUrl } = config.network;
  const http = createHttp({ allowPrivate, proxyUrl, clock, userAgent: `acme-agent/${version}` });
  const { path, home, tmpdir } = environment;
  const run = createRunChild({ clock, log, path, home, tmpdir });
  const resolver = createResolver({ servers: config.resolvers }, needs);
  const plugins = await createPlugins(config, { http, run, resolver, state: needs.pluginState, clock, log });
  const dns = createDns({ accounts: plugins.dnsAccounts, resolvers: config.resolvers }, needs);
  const acme = createAcme(config.issuers.map(toIssuer), needs, { version });
  const solvers = createSolvers([createHttp01Solver(needs), createDns01Solver(dns, needs)]);
  const close = async () => {
    await dns.close();
    await Promise.all([acme.close(), http.close()]);
  };
  return { ...plugins, loaded, acme, dns, solvers, close };
}

function toIssuer(issuer: LoadedConfig['config']['issuers'][number]) {
  const { name, directoryUrl, email, eab, trustPem, proxyUrl, preferredChain, profile } = issuer;
  return {
    name,
    directoryUrl,
    contacts: email === undefined ? [] : [email],
    eab: eab && { kid: eab.keyId, hmacKey: eab.hmacKey },
    trustPem,
    proxyUrl,
    preferredChain,
    profile: profile?.name,
  };
}
