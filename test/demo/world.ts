import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { SMTPServer } from 'smtp-server';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { removeKeys } from '../support/any-redis.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';

/** Everything around the agent: a CA with its own DNS, a mail server, a folder for certificates. */
export interface World {
  readonly pebble: TestPebble;
  readonly site: AgentSite;
  /** URL of a Redis that was there before; absent: the agent has its own. */
  readonly redis: string | undefined;
  readonly mails: readonly string[];
  stop(): Promise<void>;
}

export const healthy = ['www.blog.test', 'shop.test', 'any.shop.test'];
export const broken = 'www.broken.test';

export async function createWorld(): Promise<World> {
  const { ACME_AGENT_TEST_PEBBLE_URL: pebbleUrl, ACME_AGENT_TEST_REDIS_URL: redisUrl } = process.env;
  const own = async () => ({ httpPort: await freePort(), retryAfter: { authz: 1, order: 1 } });
  const pebble = await startPebble(pebbleUrl === undefined ? await own() : {});
  await pebble.dns?.setServfail(broken);
  const mail = await startMailServer();
  const site = await agentSite({}, 'demo');
  const redis = redisUrl === undefined ? undefined : { url: redisUrl, prefix: randomPrefix() };
  site.configure(configOf({ pebble, redis, mailPort: mail.port, folder: site.folder }));
  const stop = async () => {
    // Of a Pebble that was there before. One of our own may have ended by the very Ctrl-C that ends us.
    if (pebbleUrl !== undefined) await pebble.dns?.clearServfail(broken);
    await Promise.all([pebble.stop(), mail.stop(), redis && clean(redis)]);
  };
  return { pebble, site, redis: redis?.url, mails: mail.mails, stop };
}

function randomPrefix(): string {
  return `{acme-demo-${randomBytes(4).toString('hex')}}`;
}

/** A Redis that was there before is left as it was. */
async function clean({ url, prefix }: { url: string; prefix: string }): Promise<void> {
  const client = new Redis(url);
  await removeKeys(client, prefix).finally(() => client.disconnect());
}

interface Places {
  readonly pebble: TestPebble;
  /** Absent: the agent starts its own. */
  readonly redis: { readonly url: string; readonly prefix: string } | undefined;
  readonly mailPort: number;
  readonly folder: string;
}

function configOf({ pebble, redis, mailPort, folder }: Places): object {
  const { httpPort } = pebble;
  const everywhere = {
    issuers: ['pebble'],
    deploy: ['web'],
    notify: ['mail'],
    contacts: ['operator@blog.test'],
  };
  return {
    ...(redis !== undefined && { redis }),
    log: { level: 'info' },
    http01: { port: httpPort, address: '127.0.0.1' },
    issuers: {
      pebble: {
        directory: pebble.directoryUrl,
        trust: pebble.caFile,
        email: 'operator@blog.test',
        agreeToTerms: true,
        validation: { httpPort },
      },
    },
    preflight: 'on',
    network: { allowPrivate: ['127.0.0.0/8'] },
    dnsAccounts: {
      zones: {
        provider: 'challtestsrv',
        zones: ['shop.test'],
        url: pebble.dns?.managementUrl,
        dns: pebble.dns?.dnsAddress,
        nameservers: pebble.dns === undefined ? [] : [pebble.dns.dnsAddress],
      },
    },
    deployTargets: { web: { target: 'files', path: `${folder}/certificates` } },
    notifiers: {
      mail: {
        notifier: 'email',
        host: '127.0.0.1',
        port: mailPort,
        tls: 'none',
        from: 'acme-agent@blog.test',
      },
    },
    resolvers: pebble.dns === undefined ? [] : [pebble.dns.dnsAddress],
    defaults: everywhere,
    domains: [
      { name: 'blog.test', mode: 'individual', challenge: 'http-01', hosts: ['www.blog.test'] },
      { name: 'shop.test', mode: 'wildcard', dnsAccount: 'zones' },
      { name: 'broken.test', mode: 'individual', challenge: 'http-01', hosts: [broken] },
    ],
  };
}

async function startMailServer(): Promise<{ port: number; mails: readonly string[]; stop(): Promise<void> }> {
  const mails: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        mails.push(Buffer.concat(parts).toString('utf8'));
        done();
      });
    },
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, mails, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}
