import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { shown } from './account-facts.ts';
import {
  accepted,
  explained,
  hostNames,
  hostsConfig,
  hostsSite,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();

describe('a deactivated account', () => {
  it('has to be confirmed by the name of the issuer, and orders go to the next one', async () => {
    const [first = '', later = ''] = hostNames(2);
    const pebble = keep(await startPebble());
    const [one, two] = [keep(await proxyBefore(pebble)), keep(await proxyBefore(pebble))];
    const issuers = { one: issuerAt(pebble, one), two: issuerAt(pebble, two) };
    const config = { issuers, defaults: { issuers: ['one', 'two'] } };
    const site = await hostsSite({ pebble, hosts: [first], config });
    keep(await site.start());
    await issued(site, [first]);
    const asked = await site.ask('account', 'deactivate', 'one');
    expect([asked.code, asked.stderr]).toEqual([4, expect.stringContaining('--confirm one')]);
    expect((await shown(site, 'one')).state).toBe('ok');

    expect((await site.ask('account', 'deactivate', 'one', '--confirm', 'one')).code).toBe(0);
    expect((await shown(site, 'one')).state).toBe('deactivated');
    await site.json('hosts', 'add', later);
    await issued(site, [later]);
    expect([accepted(one, 'newOrder'), accepted(two, 'newOrder')]).toEqual([1, 1]);
    const reported = await site.ask('why', later);
    expect(reported.stdout).toContain('two');
  });
});

describe('a CA that binds accounts to its customers', () => {
  it('gets the key of the file, and without one says so to people', async () => {
    const hmacKey = Buffer.alloc(32, 7).toString('base64url');
    const pebble = keep(await startPebble({ eab: { 'customer-1': hmacKey } }));
    const [host = ''] = hostNames(1);
    const site = await hostsSite({ pebble, hosts: [host] });
    const agent = keep(await site.start());
    await explained(site, host, 'bound to a customer');
    const eab = { keyId: 'customer-1', hmacKey };
    const issuers = { pebble: { ...issuerAt(pebble), eab } };
    site.configure(hostsConfig(site, { pebble, hosts: [host], config: { issuers } }));
    process.kill(agent.pid, 'SIGHUP');
    await issued(site, [host]);
    expect((await shown(site)).state).toBe('ok');
  });
});
