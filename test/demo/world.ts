import { SMTPServer } from 'smtp-server';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';

/** Everything around the agent: a CA with its own DNS, a mail server, a folder for certificates. */
export interface World {
  readonly pebble: TestPebble;
  readonly site: AgentSite;
  readonly mails: readonly string[];
  stop(): Promise<void>;
}

export const healthy = ['www.blog.test', 'shop.test', 'any.shop.test'];
export const broken = 'www.broken.test';

export async function createWorld(): Promise<World> {
  const httpPort = await freePort();
  const pebble = await startPebble({ httpPort, retryAfter: { authz: 1, order: 1 } });
  await pebble.dns?.setServfail(broken);
  const mail = await startMailServer();
  const site = await agentSite({}, 'demo');
  site.configure(configOf({ pebble, httpPort, mailPort: mail.port, folder: site.folder }));
  const stop = async () => {
    await Promise.all([pebble.stop(), mail.stop()]);
  };
  return { pebble, site, mails: mail.mails, stop };
}

interface Places {
  readonly pebble: TestPebble;
  readonly httpPort: number;
  readonly mailPort: number;
  readonly folder: string;
}

function configOf({ pebble, httpPort, mailPort, folder }: Places): object {
  const everywhere = {
    issuers: ['pebble'],
    deploy: ['web'],
    notify: ['mail'],
    contacts: ['operator@blog.test'],
  };
  return {
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
