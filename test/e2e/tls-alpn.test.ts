import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { lookAt, startHttpsSite } from '../support/https-site.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { deployed, hostsConfig, hostsSite, issued, issuerAt, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();
const local = '127.0.0.1';
const alpn = { mode: 'individual', challenge: 'tls-alpn-01' };

/** Pebble from the tlsPort: the listener, with or without a server behind. */
function listener({ tlsPort: port }: TestPebble, more: object = {}) {
  return { port, address: local, ...more };
}

/** For addresses Pebble has a profile of this name, as Let's Encrypt has. */
function addressDomain(challenge: string): object {
  return { name: local, challenge, hosts: [local], profile: 'shortlived' };
}

describe('TLS-ALPN-01', () => {
  it('issues for DNS names, with two kinds of keys at once, and renews', async () => {
    const hosts = ['a.hosts.test', 'b.hosts.test'];
    const pebble = keep(await startPebble());
    const domain = { name: 'hosts.test', ...alpn, hosts, keyTypes: ['p256', 'rsa2048'] };
    const config = { tlsAlpn01: listener(pebble), domains: [domain] };
    const site = await hostsSite({ pebble, hosts, config });
    keep(await site.start());
    const labels = hosts.flatMap((host) => [host, `${host}.rsa`]);
    const before = await issued(site, labels);
    expect(deployed(site, 'a.hosts.test')?.names).toBe('DNS:a.hosts.test');
    const renewal = await site.ask('renew-all', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    await issued(site, labels, { before });
  });

  it('issues for an IP address, which is its own domain, also by command', async () => {
    const pebble = keep(await startPebble());
    const config = { tlsAlpn01: listener(pebble), domains: [] };
    const site = await hostsSite({ pebble, hosts: [], config });
    keep(await site.start());
    const refused = await site.ask('hosts', 'add', local);
    expect(refused.stderr).toContain(`add it first: "domains add ${local}"`);
    await site.json('domains', 'add', local, '--challenge', 'tls-alpn-01', '--profile', 'shortlived');
    await site.json('hosts', 'add', local);
    await issued(site, [local], { domain: local });
    expect(deployed(site, local, local)?.names).toBe(`IP Address:${local}`);
    const shown = await site.ask('why', local);
    expect(shown, shown.stderr).toMatchObject({ code: 0 });
  });

  it('shares its port with a real HTTPS server, before, while and after a certificate is issued', async () => {
    const pebble = keep(await startPebble());
    const host = 'www.hosts.test';
    const behind = { port: 0, folder: '' };
    const site = await agentSite({});
    behind.folder = join(site.folder, 'certificates', 'hosts.test');
    const web = await startHttpsSite((name) => join(behind.folder, name));
    keep({ stop: () => web.close() });
    const forward = `${local}:${web.port}`;
    const domain = { name: 'hosts.test', ...alpn, hosts: [host] };
    const tlsAlpn01 = listener(pebble, { forward });
    site.configure(hostsConfig(site, { pebble, hosts: [], config: { tlsAlpn01, domains: [domain] } }));
    keep(await site.start());
    await issued(site, [host]);
    const root = await pebble.rootPem();
    const first = await lookAt(pebble.tlsPort, host, root);
    expect(first.refusal).toBeUndefined();

    const visits = visitor(pebble.tlsPort, host, root);
    const renewal = await site.ask('renew', host, '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    await until('a visitor sees the new certificate', async () => {
      const { serial } = await lookAt(pebble.tlsPort, host, root);
      return serial !== first.serial;
    });
    const seen = await visits.end();
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.filter((refusal) => refusal !== undefined)).toEqual([]);
  });
});

describe('an IP address', () => {
  it('is issued over HTTP-01, and one that cannot be reached is served by its self-signed certificate', async () => {
    const pebble = keep(await startPebble());
    const unreachable = '2001:db8::7';
    const domains = [
      addressDomain('http-01'),
      { name: unreachable, challenge: 'http-01', hosts: [unreachable] },
    ];
    const site = await hostsSite({ pebble, hosts: [], config: { domains } });
    keep(await site.start());
    await issued(site, [local], { domain: local });
    expect(deployed(site, local, local)?.names).toBe(`IP Address:${local}`);
    await until('the fallback is there', () => deployed(site, unreachable, unreachable)?.selfSigned === true);
    expect(deployed(site, unreachable, unreachable)?.names).toBe('IP Address:2001:DB8:0:0:0:0:0:7');
  });

  it('has to have a challenge that CAs take for it, and a profile at Let’s Encrypt', async () => {
    const pebble = keep(await startPebble());
    const issuers = {
      pebble: issuerAt(pebble),
      le: { preset: 'letsencrypt', agreeToTerms: true },
    };
    const site = await agentSite({
      issuers,
      domains: [
        { name: local, issuers: ['pebble'], challenge: 'dns-01' },
        { name: '192.0.2.7', issuers: ['le'] },
        { name: '192.0.2.8', issuers: ['le'], profile: 'shortlived' },
        { name: 'example.com', issuers: ['pebble'], challenge: 'tls-alpn-01' },
      ],
    });
    const { code, stderr, stdout } = await site.ask('check');
    const said = stderr + stdout;
    expect(code).toBe(2);
    expect(said).toContain('127.0.0.1 is an IP address, which dns-01 cannot prove');
    expect(said).toContain('le issues for IP addresses such as 192.0.2.7 only with the profile shortlived');
    expect(said).not.toContain('192.0.2.8');
    expect(said).toContain('tls-alpn-01 needs a listener: add "tlsAlpn01"');
  });

  it('needs a port that nobody has: a listener that cannot start says so', async () => {
    const pebble = keep(await startPebble());
    const port = await freePort();
    const taken: AgentSite = await hostsSite({
      pebble,
      hosts: [],
      config: { tlsAlpn01: { port, address: local }, http01: { port, address: local }, domains: [] },
    });
    const { code, stderr } = await taken.ask('check');
    expect(code).toBe(2);
    expect(stderr).toContain(`tlsAlpn01.port: http01 has the port ${port} already: choose another one`);
  });
});

/** Looks at the site over and over until it is told to end. */
function visitor(port: number, servername: string, ca: string) {
  let isOver = false;
  const seen: (string | undefined)[] = [];
  async function visit(): Promise<void> {
    while (!isOver) {
      const socket = connect({ host: local, port, servername, ca: [ca], rejectUnauthorized: false });
      const error = await once(socket, 'secureConnect').then(
        () => (socket.authorized ? undefined : String(socket.authorizationError)),
        String,
      );
      seen.push(error);
      socket.destroy();
    }
  }
  const visits = Promise.all([visit(), visit(), visit()]);
  return {
    end: async () => {
      isOver = true;
      await visits;
      return seen;
    },
  };
}
