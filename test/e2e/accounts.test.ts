import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writePem } from '../../src/x509/pem.ts';
import { issue, layer, never, pebbleIssuer, pki, startResponder } from '../acme/kit.ts';
import { certbotFolder, keyPem } from '../import/folders.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';
import { opened, shown } from './account-facts.ts';
import {
  accepted,
  deployed,
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
    const asked = await site.run('account', 'deactivate', 'one');
    expect([asked.code, asked.stderr]).toEqual([4, expect.stringContaining('--confirm one')]);
    expect((await shown(site, 'one')).state).toBe('ok');

    expect((await site.run('account', 'deactivate', 'one', '--confirm', 'one')).code).toBe(0);
    expect((await shown(site, 'one')).state).toBe('deactivated');
    await site.json('hosts', 'add', later);
    await issued(site, [later]);
    expect([accepted(one, 'newOrder'), accepted(two, 'newOrder')]).toEqual([1, 1]);
    const reported = await site.run('why', later);
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

describe('import', () => {
  it('takes account and certificate of certbot over, deploys it, and renews it as a replacement', async () => {
    const names = ['www.imported.test'];
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const trustPem = readFileSync(proxy.caFile, 'utf8');
    const client = layer({ ...pebbleIssuer(pebble), directoryUrl: proxy.directoryUrl, trustPem });
    const responder = await startResponder(pebble.httpPort);
    const session = await client.acme.session('ca', never);
    const key = await pki.generateKey('p256');
    const facts = await issue(session, names, { answers: responder.answers, key });
    await responder.stop();
    await client.acme.close();
    const account = client.accounts.records.get('ca');
    const root = testFolder('letsencrypt');
    const folder = certbotFolder(root, { url: account?.url, key: account?.key ?? key }, proxy.directoryUrl);
    const chainPem = [facts.leafDer, ...facts.chainDer].map((der) => writePem(der)).join('');
    folder.add('www.imported.test', { names, chainPem, keyPem: keyPem(key) });

    const site = await hostsSite({ pebble, proxy, hosts: [], config: { domains: [] } });
    keep(await site.start());
    const dry = await site.run('import', root, '--from', 'certbot', '--dry-run');
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('2 would be taken')]);
    const { code, stdout } = await site.run('import', root, '--from', 'certbot');
    expect([code, stdout]).toEqual([0, expect.stringContaining('2 taken, 0 there already, 0 not taken')]);
    const label = names[0] ?? '';
    await until('it is deployed', () => deployed(site, label, 'imported.test') !== undefined);
    expect(deployed(site, label, 'imported.test')?.serial.toLowerCase()).toBe(facts.serial);
    expect(accepted(proxy, 'newOrder')).toBe(1);

    expect((await site.run('renew', label, '--force', '--wait')).code).toBe(0);
    const orders = proxy.calls.filter(({ kind }) => kind === 'newOrder');
    expect(
      orders.map(({ payload, status }) => [status, (payload as { replaces?: string }).replaces]),
    ).toEqual([
      [201, undefined],
      [201, facts.ariCertId],
    ]);
    expect(opened(proxy)).toBe(1);
    const again = await site.run('import', root, '--from', 'certbot');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('0 taken, 2 there already')]);
  });
});
