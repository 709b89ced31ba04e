import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { startBind } from './bind.ts';
import { hasServer } from './fetch/index.ts';
import { startChalltestsrv, startPebble } from './pebble.ts';
import { exchange } from './pebble-launch.ts';
import { freePorts } from './ports.ts';
import { hasPowerdns, startPowerdns } from './powerdns.ts';
import { readProcess } from './proc.ts';
import { startProcess } from './process.ts';
import { startRedis } from './redis.ts';

const running: { stop(): Promise<unknown> }[] = [];

function keep<T extends { stop(): Promise<unknown> }>(server: T): T {
  running.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

describe('a free port', () => {
  it('is given out once', async () => {
    const ports = await freePorts(50);
    expect(new Set(ports).size).toBe(50);
  });
});

describe('a server process', () => {
  it('that ends before it serves is an error that shows what it said', async () => {
    const starting = startProcess({
      name: 'broken',
      command: ['sh', '-c', 'echo no such luck; exit 7'],
      ready: { port: 1 },
    });
    await expect(starting).rejects.toThrow(/exit code 7[\s\S]*no such luck/);
  });

  it('that cannot be started is an error that names it', async () => {
    const starting = startProcess({ name: 'absent', command: ['/no/such/program'], ready: { port: 1 } });
    await expect(starting).rejects.toThrow('/no/such/program');
  });

  it('that ignores SIGTERM is killed', async () => {
    const server = await startProcess({
      name: 'stubborn',
      command: ['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done'],
      ready: async () => true,
    });
    await expect.poll(() => server.output()).toContain('up');
    expect((await server.stop(100)).signal).toBe('SIGKILL');
    expect(readProcess(server.pid)).toBeUndefined();
  });
});

describe('a test Redis', () => {
  it('keeps its data over a restart and over a kill', async () => {
    const redis = keep(await startRedis());
    await redis.cli('SET', 'a', '1');
    await redis.restart();
    expect(await redis.cli('GET', 'a')).toBe('1');
    await redis.cli('SET', 'b', '2');
    await redis.kill('SIGKILL');
    await redis.start();
    expect(await redis.cli('GET', 'b')).toBe('2');
  });

  it('speaks TLS to a user of its access control list', async () => {
    const user = { name: 'agent', password: 'a-password-of-some-length' };
    const config = ['user default off', `user ${user.name} on >${user.password} +@all ~*`];
    const redis = keep(await startRedis({ tls: true, user, config, socket: true }));
    expect(redis.url).toMatch(/^rediss:/);
    expect(await redis.cli('ACL', 'WHOAMI')).toBe('agent');
  });

  it.skipIf(!hasServer('valkey-server'))('is a Valkey with WAITAOF when asked for', async () => {
    const valkey = keep(await startRedis({ valkey: true }));
    await valkey.cli('SET', 'a', '1');
    expect(await valkey.cli('WAITAOF', '1', '0', '1000')).toEqual([1, 0]);
  });
});

describe('a test Pebble', () => {
  it('has renewal information and profiles, and shows its root', async () => {
    const pebble = keep(await startPebble());
    const directory = JSON.parse(await exchange(pebble.directoryUrl, readFileSync(pebble.caFile, 'utf8')));
    expect(directory).toHaveProperty('renewalInfo');
    expect(directory.meta.profiles).toHaveProperty('shortlived');
    expect(await pebble.rootPem()).toContain('BEGIN CERTIFICATE');
  });

  it('takes external account keys, a blocklist and a chain of its own', async () => {
    const pebble = keep(
      await startPebble({
        eab: { 'kid-1': 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' },
        domainBlocklist: ['blocked.test'],
        chainLength: 2,
        alternateRoots: 1,
        strict: true,
      }),
    );
    const directory = JSON.parse(await exchange(pebble.directoryUrl, readFileSync(pebble.caFile, 'utf8')));
    expect(directory.meta.externalAccountRequired).toBe(true);
    expect(await pebble.rootPem(1)).not.toBe(await pebble.rootPem(0));
  });
});

describe('a test resolver', () => {
  it('answers 127.0.0.1 for any name, and what it was told', async () => {
    const dns = keep(await startChalltestsrv());
    const resolver = resolverAt(dns.dnsAddress);
    await dns.setTxt('_acme-challenge.example.test', 'one');
    await dns.setTxt('_acme-challenge.example.test', 'two');
    expect(await resolver.resolve4('any.example.test')).toEqual(['127.0.0.1']);
    await expect(resolver.resolve6('any.example.test')).rejects.toThrow();
    expect((await resolver.resolveTxt('_acme-challenge.example.test')).flat().sort()).toEqual(['one', 'two']);
  });
});

describe.skipIf(!hasServer('named'))('a test BIND', () => {
  it('serves its zones, follows a CNAME from one to another, and shows a zone as text', async () => {
    const bind = keep(
      await startBind({
        zones: ['example.test', 'b.example.test', 'other.test'],
        records: [
          'alias.example.test. IN CNAME host.other.test.',
          'x.b.example.test. IN TXT "in the sub-zone"',
        ],
      }),
    );
    const resolver = resolverAt(bind.address);
    expect(await resolver.resolve4('alias.example.test')).toEqual(['127.0.0.1']);
    expect(await resolver.resolveTxt('x.b.example.test')).toEqual([['in the sub-zone']]);
    expect(await bind.zoneText('b.example.test')).toContain('x.b.example.test 60 TXT "in the sub-zone"');
    expect(await bind.zoneText('example.test')).not.toContain('sub-zone');
    await expect(resolver.resolve4('example.com')).rejects.toThrow();
  });
});

describe.skipIf(!hasPowerdns())('a test PowerDNS', () => {
  it('serves its zones and shows one as text', async () => {
    const pdns = keep(await startPowerdns({ zones: ['example.test', 'other.test'] }));
    expect(await resolverAt(pdns.address).resolve4('example.test')).toEqual(['127.0.0.1']);
    expect(await pdns.zoneText('other.test')).toContain('other.test 60 A 127.0.0.1');
    const answer = await fetch(`${pdns.apiUrl}/api/v1/servers/localhost/zones`, {
      headers: { 'x-api-key': pdns.apiKey },
    });
    expect(await answer.json()).toMatchObject([{ name: 'example.test.' }, { name: 'other.test.' }]);
  });
});

function resolverAt(address: string): Resolver {
  const resolver = new Resolver();
  resolver.setServers([address]);
  return resolver;
}
