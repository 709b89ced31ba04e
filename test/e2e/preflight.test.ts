import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import type { TestProxy } from '../support/proxy.ts';
import {
  accepted,
  asked,
  explained,
  hostNames,
  hostsConfig,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();
const [host = ''] = hostNames(1);

interface World {
  readonly pebble: TestPebble;
  readonly site: AgentSite;
  readonly first: TestProxy;
  readonly second: TestProxy;
}

/** Two CAs, each with a name of its own, that validate on the port where this agent looks, too. */
async function lookingAgent(config: object = {}): Promise<World> {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const [first, second] = [await namedCa(pebble, 'first.test'), await namedCa(pebble, 'second.test')];
  const validation = { httpPort: pebble.httpPort };
  const site = await agentSite({});
  site.configure(
    hostsConfig(site, {
      pebble,
      hosts: [host],
      config: {
        preflight: 'on',
        issuers: {
          first: { ...issuerAt(pebble, first), validation },
          second: { ...issuerAt(pebble, second), validation },
        },
        defaults: { issuers: ['first', 'second'] },
        resolvers: [pebble.dns?.dnsAddress],
        network: { allowPrivate: ['127.0.0.0/8'] },
        ...config,
      },
    }),
  );
  return { pebble, site, first, second };
}

/** A proxy whose directory says by which name its CA goes in CAA records. */
async function namedCa(pebble: TestPebble, identity: string): Promise<TestProxy> {
  const proxy = keep(await proxyBefore(pebble));
  const directory = (await getJson(proxy.directoryUrl, proxy.caFile)) as { meta: object };
  const body = JSON.stringify({ ...directory, meta: { ...directory.meta, caaIdentities: [identity] } });
  const headers = { 'content-type': 'application/json' };
  proxy.status('directory', { code: 200, headers, body, times: 1e6 });
  return proxy;
}

function getJson(url: string, caFile: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request(url, { ca: readFileSync(caFile) }, (answer) =>
      text(answer).then(JSON.parse).then(resolve, reject),
    )
      .on('error', reject)
      .end();
  });
}

describe('CAA records', () => {
  it('C14 that exclude a CA stop the order before it is made; the second issuer is used', async () => {
    const { pebble, site, first, second } = await lookingAgent();
    await pebble.dns?.addCaa('hosts.test', [{ tag: 'issue', value: 'second.test' }]);
    keep(await site.start());
    await issued(site, [host]);
    expect([asked(first), accepted(second, 'newOrder')]).toEqual([0, 1]);
  });

  it('that exclude all are told with the record to paste, and mended by it', async () => {
    const { pebble, site, first, second } = await lookingAgent({ defaults: { issuers: ['first'] } });
    await pebble.dns?.addCaa('hosts.test', [{ tag: 'issue', value: ';' }]);
    keep(await site.start());
    const told = await explained(site, host, 'CAA');
    const line = /hosts\.test\. IN CAA 0 issue "(\S+; accounturi=https:\S+)"/.exec(told)?.[1] ?? '';
    expect(line, told).toMatch(/^first\.test; accounturi=https:/);
    expect([asked(first), asked(second)]).toEqual([0, 0]);

    await pebble.dns?.addCaa('hosts.test', [{ tag: 'issue', value: line }]);
    expect(await site.ask('renew', host, '--wait')).toMatchObject({ code: 0 });
    await issued(site, [host]);
    expect([asked(first), asked(second)]).toEqual([1, 0]);
  });
});

describe('a host that somebody else answers for', () => {
  it('is not ordered for until it leads to the agent', async () => {
    const port = await freePort();
    const { pebble, site, first, second } = await lookingAgent({ http01: { port, address: '127.0.0.1' } });
    const other = createServer((_, response) => response.writeHead(404).end('nginx'));
    await new Promise<void>((resolve) => other.listen(pebble.httpPort, '127.0.0.1', resolve));
    const end = () => new Promise<void>((resolve) => void other.close(() => resolve()));
    keep({ stop: async () => void (other.listening && (await end())) });
    keep(await site.start());
    expect(await explained(site, host, 'it answered with status 404')).toContain('challenge');
    expect([asked(first), asked(second)]).toEqual([0, 0]);

    const { stdout: look } = await site.ask('preflight', host);
    expect(look).toContain('STOPS');
    await end();
    const forward = createServer((incoming, response) => {
      fetch(`http://127.0.0.1:${port}${incoming.url}`).then(async (answer) =>
        response.writeHead(answer.status).end(await answer.text()),
      );
    });
    await new Promise<void>((resolve) => forward.listen(pebble.httpPort, '127.0.0.1', resolve));
    keep({ stop: async () => void forward.close() });
    expect(await site.ask('renew', host, '--wait')).toMatchObject({ code: 0 });
    await issued(site, [host]);
    expect(asked(first)).toBe(1);
  });
});

describe('the command preflight', () => {
  it('says of each CA what it would find, with the record that allows this account alone', async () => {
    const { site } = await lookingAgent();
    keep(await site.start());
    await issued(site, [host]);
    const { code, stdout } = await site.ask('preflight', host);
    expect(code).toBe(0);
    expect(stdout).toContain(`first, for ${host} by http-01:`);
    expect(stdout).toMatch(/ok {6}http:\S+ is answered by this agent at 127\.0\.0\.1\./);
    expect(stdout).toMatch(/IN CAA 0 issue "first\.test; accounturi=https:/);
    expect(stdout).toContain('Nothing is in the way of an order.');
    expect(await site.json('preflight', `new.hosts.test`)).toMatchObject({ names: ['new.hosts.test'] });
  });
});
