import { readFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { dnsProviders } from '../../providers/index.ts';
import { AgentError } from '../core/errors.ts';
import { secret } from '../core/secret.ts';
import type { Settings } from '../core/types.ts';
import { deployTargets } from '../deploy/index.ts';
import { notifiers } from '../notify/index.ts';
import type { Config, Definitions, LoadedConfig } from './config.ts';
import { readDocument } from './document.ts';
import { readDomains } from './domains.ts';
import { readIssuers } from './issuers.ts';
import { createMistakes } from './mistakes.ts';
import { readOnDemand } from './on-demand.ts';
import { readDeployTargets, readDnsAccounts, readNotifiers } from './plugged.ts';
import { joinPlugins } from './plugins.ts';
import { createReader, type Reader, type Variables } from './reader.ts';
import { toRedis } from './redis.ts';
import { type FilePart, file } from './schema.ts';
import { hashShared, markOf, markOfPlugged } from './shared-hash.ts';
import { readTlsAlpn01 } from './tls-alpn.ts';

const masterKeyVariable = 'ACME_AGENT_MASTER_KEY';

const unreadable: Readonly<Record<string, readonly [reason: string, advice: string]>> = {
  ENOENT: [
    'is not there',
    'Name the right one with --config FILE, or write it after acme-agent.example.yaml.',
  ],
  EACCES: [
    'may not be read by this user',
    'Run acme-agent as another user, or let the group of this one read it.',
  ],
  EISDIR: ['is a folder', 'Name the file in it with --config FILE.'],
};

/** What the agent takes from its own process environment. */
export interface Environment {
  /** For `loadConfig`. */
  readonly variables: Variables;
  /** For the programs that the agent runs. */
  readonly path: string;
  readonly home: string;
  readonly tmpdir: string;
}

/** The only reader of the process environment. Also tells the AWS SDK not to lecture about Node's version. */
export function readEnvironment(): Environment {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  return {
    variables: { ...process.env },
    path: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    home: homedir(),
    tmpdir: tmpdir(),
  };
}

/**
 * Reads one YAML file. Rejects with `config.unreadable`, or with one `config.invalid` (`config.plugin` when plugins are
 * all that is wrong) whose message lists every mistake: `file:line: path.to.key: what is wrong and what to write`.
 */
export async function loadConfig(path: string, env: Variables): Promise<LoadedConfig> {
  const mistakes = createMistakes(path);
  const document = readDocument(await readText(path), mistakes);
  const folder = dirname(resolve(path));
  const reader = createReader({ document, mistakes, folder, env });
  const part = reader.read(file, []) ?? file.parse({});
  const builtIn = [...dnsProviders, ...deployTargets, ...notifiers];
  const definitions = await joinPlugins(builtIn, { plugins: part.plugins, folder }, (index, error) =>
    reader.report(['plugins', index], error.message, error.code),
  );
  const config = readConfig(part, { reader, definitions, env });
  const settings = readSettings(part, config, reader);
  const domains = readDomains({ reader, settings, defaults: part.defaults });
  mistakes.throwIfAny();
  const sharedHash = hashShared(config, settings, domains);
  return { path: resolve(path), config, settings, domains, definitions, sharedHash };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const [reason, advice] = unreadable[code] ?? [`cannot be read (${code})`];
    throw new AgentError('config.unreadable', `the configuration file ${path} ${reason}`, { advice, cause });
  }
}

interface Around {
  readonly reader: Reader;
  readonly definitions: Definitions;
  readonly env: Variables;
}

function readConfig(part: FilePart, around: Around): Config {
  const { reader, definitions } = around;
  const dataDir = reader.absolute(part.dataDir);
  const { allowPrivate, proxy } = part.network;
  return {
    dataDir,
    masterKey: toMasterKey(part, dataDir, around),
    redis: toRedis(part.redis, reader),
    issuers: readIssuers(reader, proxy),
    dnsAccounts: readDnsAccounts(reader, definitions),
    deployTargets: readDeployTargets(reader, definitions),
    notifiers: readNotifiers(reader, definitions),
    http01: part.http01,
    tlsAlpn01: readTlsAlpn01(part, reader),
    hostPermission: part.onDemand?.permission,
    resolvers: part.resolvers,
    doh: part.doh,
    network: { allowPrivate, proxyUrl: proxy },
    roles: part.roles,
    metrics: part.metrics?.listen,
    concurrency: part.concurrency,
    log: part.log,
  };
}

/** As the file says; else from the environment, if that has one; else a file in the data directory. */
function toMasterKey({ masterKey }: FilePart, dataDir: string, { reader, env }: Around): Config['masterKey'] {
  if (masterKey !== undefined && 'file' in masterKey) return { file: reader.absolute(masterKey.file) };
  const name = masterKey?.env ?? masterKeyVariable;
  const value = env[name];
  if (value !== undefined && value !== '') return { value: secret(value) };
  if (masterKey !== undefined)
    reader.report(['masterKey', 'env'], `the environment variable ${name} is not set`);
  return { file: join(dataDir, 'master.key') };
}

function readSettings(
  { defaults, dnsPersist, experimental, onDemand, renewal, retention, preflight, uploads }: FilePart,
  config: Config,
  reader: Reader,
): Settings {
  const issuers = reader.keys(['issuers']);
  const deploy = reader.keys(['deployTargets']);
  const notify = reader.keys(['notifiers']);
  const issuerFacts = config.issuers.map((issuer) => [
    issuer.name,
    { directoryUrl: issuer.directoryUrl, mark: markOf(issuer), usualProfile: issuer.profile },
  ]);
  return {
    issuers,
    issuerFacts: Object.fromEntries(issuerFacts),
    experimental: experimental.length === 0 ? undefined : experimental,
    dnsAccounts: config.dnsAccounts.map((account) => {
      const { name, zones, programmable } = account;
      return { name, zones, programmable, mark: markOfPlugged(account) };
    }),
    deployTargets: deploy,
    targetMarks: Object.fromEntries(
      config.deployTargets.map((target) => [target.name, markOfPlugged(target)]),
    ),
    probes: probesOf(config),
    notifiers: notify,
    renewalCeilingMs: renewal.ceilingDays * 86_400_000,
    permissionMs: dnsPersist && dnsPersist.days * 86_400_000,
    onDemand: readOnDemand(onDemand, reader),
    retentionMs: retention.expiredDays * 86_400_000,
    preflight,
    fetchesIssuers: uploads.fetchIssuers || undefined,
    answersTlsAlpn: config.tlsAlpn01 !== undefined,
    defaults: {
      mode: defaults.mode ?? 'auto',
      challenge: defaults.challenge,
      dnsAccount: defaults.dnsAccount,
      profile: defaults.profile,
      partial: defaults.partial,
      reuseKey: defaults.reuseKey,
      redirect: defaults.redirect,
      issuers: defaults.issuers ?? issuers.slice(0, 1),
      keyTypes: defaults.keyTypes ?? ['p256'],
      deploy: defaults.deploy ?? deploy,
      notify: defaults.notify ?? notify,
      contacts: defaults.contacts ?? [],
    },
  };
}

function probesOf({ deployTargets }: Config): Settings['probes'] {
  const probed = deployTargets.flatMap(({ name, probe }) =>
    probe === undefined ? [] : [[name, probe] as const],
  );
  return probed.length === 0 ? undefined : Object.fromEntries(probed);
}
