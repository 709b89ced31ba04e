import type { Hsts } from '../core/https-redirect.ts';
import type { Secret } from '../core/secret.ts';
import type {
  CaLimit,
  Domain,
  Host,
  LimitName,
  ProfileWish,
  ServerAddress,
  Settings,
} from '../core/types.ts';
import type { DeployTargetDefinition, DnsProviderDefinition, NotifierDefinition } from '../plugin/define.ts';

/** What one configuration file says, checked and with its defaults; paths are absolute, secrets resolved. */
export interface Config {
  readonly dataDir: string;
  /** file: a key is made there when the store has none. */
  readonly masterKey: { readonly file: string } | { readonly value: Secret<string> };
  readonly redis: RedisConfig;
  readonly issuers: readonly IssuerConfig[];
  readonly dnsAccounts: readonly DnsAccountConfig[];
  readonly deployTargets: readonly DeployTargetConfig[];
  readonly notifiers: readonly NotifierConfig[];
  readonly http01: Http01Config;
  /** Absent: no agent of this file answers tls-alpn-01. */
  readonly tlsAlpn01?: TlsAlpnConfig | undefined;
  /** The platform is asked here about hosts that clients ask for; absent: it is not. */
  readonly hostPermission?: Secret<string> | undefined;
  /** `address` or `address:port`; empty: those of the system. */
  readonly resolvers: readonly string[];
  /** DNS over HTTPS, asked where port 53 is filtered; absent: the engine's own, empty: none. */
  readonly doh?: readonly string[] | undefined;
  readonly network: { readonly allowPrivate: readonly string[]; readonly proxyUrl?: ProxyUrl | undefined };
  readonly roles: readonly ('scheduler' | 'worker' | 'edge')[];
  /** Where `/metrics` is answered, on a loopback address; absent: nowhere. */
  readonly metrics?: Endpoint | undefined;
  /** Jobs at a time, by queue. */
  readonly concurrency: Readonly<Record<'commands' | 'issuance' | 'deploy' | 'notify' | 'upkeep', number>>;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
}

/** Listener for HTTP-01, which sends everybody else to HTTPS. */
export interface Http01Config {
  readonly port: number;
  readonly address: string;
  /** Where clients reach HTTPS. */
  readonly httpsPort: number;
  /** Addresses and ranges whose X-Forwarded-Proto counts. */
  readonly trustedProxies: readonly string[];
  readonly hsts?: Hsts | undefined;
}

/** Listener for TLS-ALPN-01; `forward`: the server that gets everything else. */
export interface TlsAlpnConfig {
  readonly port: number;
  readonly address: string;
  readonly forward?: (Endpoint & { readonly proxyProtocol: boolean }) | undefined;
}

/** A secret, for it may hold a password. */
export type ProxyUrl = Secret<string>;

/** With none of `url`, `sentinels` and `cluster` the agent runs a server of its own in the data directory. */
export interface RedisConfig {
  /** Without user and password, which stand beside it. */
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret<string> | undefined;
  /** Absent for a plain connection. */
  readonly tls?: RedisTls | undefined;
  readonly sentinels?: readonly Endpoint[] | undefined;
  readonly sentinelName?: string | undefined;
  /** The sentinels have users and TLS of their own. */
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: Secret<string> | undefined;
  readonly sentinelTls?: RedisTls | undefined;
  readonly cluster?: readonly Endpoint[] | undefined;
  readonly prefix: string;
  readonly durability: 'strict' | 'relaxed';
  /** Server program for the embedded store, where PATH has none. */
  readonly serverPath?: string | undefined;
}

/** PEM texts. */
export interface RedisTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: Secret<string> | undefined;
  readonly servername?: string | undefined;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface IssuerConfig {
  readonly name: string;
  readonly directoryUrl: string;
  readonly email?: string | undefined;
  readonly eab?: { readonly keyId: string; readonly hmacKey: Secret<string> } | undefined;
  /** PEM of roots trusted for this CA's API beside the built-in ones. */
  readonly trustPem?: string | undefined;
  readonly proxyUrl?: ProxyUrl | undefined;
  readonly preferredChain?: string | undefined;
  readonly profile?: ProfileWish | undefined;
  /** A new account takes the place of one that was deactivated. */
  readonly replaceDeactivatedAccount?: boolean | undefined;
  /** The CA's rate limits where they are not as documented; off: none is kept. */
  readonly limits?: 'off' | { readonly [Name in LimitName]?: CaLimit | 'off' | undefined } | undefined;
  /** A CA of one's own network: the ports to which it connects; private addresses are as good as others to it. */
  readonly validation?:
    | { readonly httpPort?: number | undefined; readonly httpsPort?: number | undefined }
    | undefined;
}

/** `definition.create(options, context)` makes the thing. */
interface Plugged<Definition> {
  readonly name: string;
  readonly definition: Definition;
  /** As the definition's own schema returned them. */
  readonly options: unknown;
}

export interface DnsAccountConfig extends Plugged<DnsProviderDefinition<unknown>> {
  readonly zones: readonly string[];
  readonly nameservers: readonly string[];
  readonly programmable: boolean;
}

export interface DeployTargetConfig extends Plugged<DeployTargetDefinition<unknown>> {
  /** Servers that show its certificates, to be looked at from outside; absent: nobody looks. */
  readonly probe?: readonly ServerAddress[] | undefined;
}

export type NotifierConfig = Plugged<NotifierDefinition<unknown>>;

/** By the name that the file uses: those that come with the agent and those of plugins. */
export interface Definitions {
  readonly dns: ReadonlyMap<string, DnsProviderDefinition<unknown>>;
  readonly deploy: ReadonlyMap<string, DeployTargetDefinition<unknown>>;
  readonly notify: ReadonlyMap<string, NotifierDefinition<unknown>>;
}

/** A domain of the file with its hosts. `addedAt` of the hosts is 0: whoever stores them knows the time. */
export interface FileDomain {
  readonly domain: Domain;
  readonly hosts: readonly Host[];
}

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly path: string;
  readonly config: Config;
  readonly settings: Settings;
  readonly domains: readonly FileDomain[];
  readonly definitions: Definitions;
  /** SHA-256, hex, of what all agents on one store must agree on. */
  readonly sharedHash: string;
}
