import { createCrls } from '../acme/crl.ts';
import { type AcmeLayer, createAcme } from '../acme/index.ts';
import { createDns01Solver, createDnsAccount01Solver } from '../challenge/dns01.ts';
import { createDnsPersist01Solver } from '../challenge/dnspersist01.ts';
import { createHttp01Solver } from '../challenge/http01.ts';
import { createSolvers } from '../challenge/index.ts';
import { createTlsAlpn01Solver } from '../challenge/tlsalpn01.ts';
import { createRunChild } from '../child.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import type { PluginState } from '../core/plugin.ts';
import type {
  Budget,
  Crls,
  HostPermission,
  IssuerCertificates,
  Ports,
  Preflight,
  Prober,
  Solvers,
} from '../core/ports.ts';
import { createProber } from '../deploy/probe.ts';
import { createDns, createResolver, type Dns } from '../dns/index.ts';
import { createPrivateCheck, resolveBySystem } from '../http/private.ts';
import { createHttp } from '../http.ts';
import { budgetOf } from './budget.ts';
import { createHostPermission } from './host-permission.ts';
import { createIssuerCertificates } from './issuer-certificates.ts';
import { createPlugins, type Plugins } from './plugins.ts';
import { preflightOf } from './preflight.ts';
import { version } from './version.ts';

/** What follows from one configuration file; replaced as a whole when the file changes. */
export interface Configured extends Plugins {
  readonly loaded: LoadedConfig;
  readonly acme: AcmeLayer;
  readonly budget: Budget;
  readonly crls: Crls;
  readonly dns: Dns;
  readonly hostPermission: HostPermission;
  readonly issuerCertificates: IssuerCertificates;
  readonly preflight: Preflight;
  readonly prober: Prober;
  readonly solvers: Solvers;
  close(): Promise<void>;
}

export type ConfiguredNeeds = Pick<
  Ports,
  'accounts' | 'locks' | 'buckets' | 'journal' | 'tokens' | 'tlsAnswers' | 'metrics' | 'clock' | 'log'
> & {
  readonly environment: Environment;
  readonly pluginState: (owner: string) => PluginState;
};

export async function configure(loaded: LoadedConfig, needs: ConfiguredNeeds): Promise<Configured> {
  const { config } = loaded;
  const { clock, log, environment } = needs;
  const { allowPrivate, proxyUrl } = config.network;
  const http = createHttp({
    allowPrivate,
    proxyUrl: proxyUrl?.reveal(),
    clock,
    userAgent: `acme-agent/${version}`,
  });
  const { path, home, tmpdir } = environment;
  const run = createRunChild({ clock, log, path, home, tmpdir });
  const resolver = createResolver({ servers: config.resolvers }, needs);
  const plugins = await createPlugins(config, { http, run, resolver, state: needs.pluginState, clock, log });
  const { resolvers, doh } = config;
  const dns = createDns({ accounts: plugins.dnsAccounts, resolvers, doh }, { ...needs, http });
  const acme = createAcme(config.issuers.map(toIssuer), needs, { version });
  const budget = budgetOf(loaded, needs);
  const crls = createCrls({ http, clock });
  const hostPermission = createHostPermission(config.hostPermission, http);
  const issuerCertificates = createIssuerCertificates(http);
  const answered = {
    'http-01': createHttp01Solver(needs),
    'dns-01': createDns01Solver(dns, needs),
    'dns-account-01': createDnsAccount01Solver(dns, needs),
    'dns-persist-01': createDnsPersist01Solver(dns, { clock, permissionMs: loaded.settings.permissionMs }),
    'tls-alpn-01': createTlsAlpn01Solver(needs),
  };
  const solvers = createSolvers(answered, loaded.settings.experimental);
  const preflight = preflightOf(loaded, { ...needs, acme, http, resolver });
  const prober = createProber({
    clock,
    resolve: resolveBySystem,
    isPrivate: createPrivateCheck(allowPrivate),
  });
  const close = async () => {
    preflight.close();
    await dns.close();
    await Promise.all([acme.close(), http.close()]);
  };
  return {
    ...plugins,
    loaded,
    acme,
    budget,
    crls,
    dns,
    hostPermission,
    issuerCertificates,
    preflight,
    prober,
    solvers,
    close,
  };
}

function toIssuer(issuer: LoadedConfig['config']['issuers'][number]) {
  const { name, directoryUrl, email, eab, trustPem, proxyUrl, preferredChain, profile } = issuer;
  return {
    name,
    directoryUrl,
    contacts: email === undefined ? [] : [email],
    eab: eab && { kid: eab.keyId, hmacKey: eab.hmacKey },
    trustPem,
    proxyUrl: proxyUrl?.reveal(),
    preferredChain,
    profile,
    replaceDeactivatedAccount: issuer.replaceDeactivatedAccount,
  };
}
