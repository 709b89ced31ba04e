/** Who may import whom (type-only imports count), which packages where, and what may stand where. */

/** Part of the house: a folder or a file below `src`, or one of the folders beside it. */
export type Unit = string;

const registries = ['providers/index.ts', 'src/deploy/index.ts', 'src/notify/index.ts'];

/** What each unit may import beside itself: units, or single files. */
export const mayImport: Readonly<Record<Unit, readonly string[] | 'everything but cli' | 'everything'>> = {
  core: [],
  x509: ['core'],
  import: ['core', 'x509'],
  plugin: ['core'],
  http: ['core'],
  child: ['core'],
  folder: [],
  log: ['core'],
  clock: ['core'],
  metrics: ['core'],
  store: ['core', 'child', 'folder'],
  challenge: ['core', 'x509'],
  edge: ['core', 'x509'],
  acme: ['core', 'x509', 'http'],
  dns: ['core', 'x509', 'http'],
  providers: ['core', 'plugin', 'src/dns/wire.ts', 'src/dns/tsig.ts'],
  deploy: ['core', 'x509', 'plugin', 'folder'],
  notify: ['core', 'x509', 'plugin'],
  config: ['core', 'plugin', ...registries],
  operations: ['core', 'x509'],
  jobs: ['core', 'src/operations/define.ts'],
  admin: ['core', 'operations'],
  cli: ['core', 'operations', 'config', 'plugin', 'agent', ...registries],
  index: ['core', 'agent', 'edge', 'store', 'plugin'],
  agent: 'everything but cli',
  test: 'everything',
};

/** Files, or folders with a slash at the end, that may import a package. One that is not listed: nobody. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  bullmq: ['jobs/queue.ts', 'jobs/worker.ts'],
  ioredis: ['src/store/', 'src/agent.ts'],
  'acme-client': ['src/acme/'],
  'node-cron': ['jobs/tick.ts'],
  pino: ['src/log.ts'],
  undici: ['src/http.ts', 'src/http/own-roots.ts', 'src/acme/transport.ts'],
  fastify: ['src/admin/server.ts'],
  commander: ['src/cli/main.ts'],
  '@aws-sdk/client-route-53': ['providers/route53.ts'],
  '@aws-sdk/client-acm': ['src/deploy/aws-acm-api.ts'],
  zod: ['src/config/', 'src/plugin/', 'src/operations/', 'src/deploy/', 'src/notify/', 'providers/'],
  yaml: ['src/config/'],
  nodemailer: ['src/notify/'],
  'dns-packet': ['src/dns/'],
  tldts: ['src/acme/registered-domain.ts'],
};

/** Loaded when first needed: nobody else pays for them. */
export const lazyPackages: readonly string[] = ['@aws-sdk/client-route-53', '@aws-sdk/client-acm'];

/** The core does no I/O. */
export const coreBuiltins: readonly string[] = ['node:crypto', 'node:url'];

/** Of Node's own modules, the doors to the world, and who may open them. One that is not listed: everybody. */
export const doors: Readonly<Record<string, readonly string[]>> = {
  'node:child_process': ['src/child.ts', 'src/store/'],
  'node:dgram': ['src/dns/'],
  'node:dns': ['src/dns/'],
  'node:dns/promises': ['src/http/'],
  'node:http': ['src/edge/', 'src/acme/transport.ts'],
  'node:http2': [],
  'node:https': [],
  'node:module': ['src/config/plugins.ts'],
  'node:tls': [
    'src/edge/',
    'src/deploy/probe-handshake.ts',
    'src/http.ts',
    'src/store/',
    'src/x509/roots.ts',
  ],
  'node:vm': [],
  'node:worker_threads': [],
};

/** An error has to be one, a secret has a private field, and a driver constructs its connector. */
export const classes: readonly string[] = [
  'src/core/errors.ts',
  'src/core/secret.ts',
  'src/store/master-connector.ts',
];

/** A module named at run time: third-party plugins only. */
export const computedImports: readonly string[] = ['src/config/', 'src/agent.ts'];

export const environmentReaders: readonly string[] = ['src/config/load.ts'];

export const clocks: readonly string[] = ['src/clock.ts'];

export const maxLines = 300;

/** Names at the top of the checkout. What starts with a dot is a tool's, and what git ignores does not count. */
export const topLevel: readonly string[] = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'biome.json',
  'vitest.config.ts',
  'pebble-compose.yml',
  'acme-agent.example.yaml',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'src',
  'providers',
  'jobs',
  'test',
];

/** Each plugin is named in the registry of its folder; `define` is how one is recognised. */
export const plugins: readonly { folder: string; define: string }[] = [
  { folder: 'providers', define: 'defineDnsProvider' },
  { folder: 'src/deploy', define: 'defineDeployTarget' },
  { folder: 'src/notify', define: 'defineNotifier' },
];
