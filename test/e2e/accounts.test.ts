import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import type { AccountShown } from '../../src/operations/accounts.ts';
import { writePem } from '../../src/x509/pem.ts';
import { issue, layer, never, pebbleIssuer, pki, startResponder } from '../acme/kit.ts';
import { certbotFolder, keyPem } from '../import/folders.ts';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import type { Call, TestProxy } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  accepted,
  deployed,
  hostNames,
  hostsConfig,
  hostsSite,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();

async function shown(site: AgentSite, issuer = 'pebble'): Promise<AccountShown['account']> {
  return ((await site.json('account', 'show', issuer)) as AccountShown).account;
}

/** Accounts opened, without questions for one that is there. */
function opened({ calls }: TestProxy): number {
  return calls.filter(({ kind, status, payload }) => {
    return kind === 'newAccount' && status === 201 && !JSON.stringify(payload).includes('onlyReturnExisting');
  }).length;
}

async function oneAgent(hosts: readonly string[]) {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const options = { pebble, proxy, hosts, config: { redis: { url: redis.url } } };
  return { redis, proxy, options, site: await hostsSite(options) };
}

/** Without waiting for an answer. */
async function ask({ port }: TestRedis, name: string, input: object): Promise<void> {
  const queue = new Queue('commands', { connection: { host: '127.0.0.1', port }, prefix: '{acme}:q' });
  await queue.add(name, { v: 1, input });
  await queue.close();
}

describe('a new key for the account', () => {
  it('is used by every agent for its next order', async () => {
    const [first = '', ...later] = hostNames(13);
    const { proxy, site, options } = await oneAgent([first]);
    keep(await site.start());
    await issued(site, [first]);
    const other = await agentSite({}, 'second');
    other.configure({
      ...hostsConfig(site, options),
      http01: { port: await freePort(), address: '127.0.0.1' },
      masterKey: { file: join(site.folder, 'data', 'master.key') },
    });
    const second = keep(await other.start());
    await site.json('hosts', 'add', ...later.slice(0, 6));
    await issued(site, later.slice(0, 6));
    const before = await shown(site);

    expect((await site.run('account', 'rollover', 'pebble')).stdout).toContain('has a new key');
    const after = await shown(other);
    expect(after).toMatchObject({ state: 'ok', url: before.url, rolledAt: expect.any(String) });
    expect(after.thumbprint).not.toBe(before.thumbprint);
    await site.json('hosts', 'add', ...later.slice(6));
    await issued(site, later.slice(6));
    // Both had a session from before.
    expect(second.output()).toContain('certificate issued');
    expect(opened(proxy)).toBe(1);
    expect(accepted(proxy, 'finalize')).toBe(13);
    const { stdout } = await site.run('account', 'list');
    expect(stdout).toContain(before.url);
  }, 120_000);

  it.each(['before the CA hears of it', 'after the CA took it'])(
    'is found out by the next start when the agent is killed %s',
    async (when) => {
      const [first = '', later = ''] = hostNames(2);
      const { proxy, site, redis } = await oneAgent([first]);
      const agent = await site.start();
      await issued(site, [first]);
      const before = await shown(site);
      let told = () => {};
      const seen = new Promise<void>((resolve) => {
        told = resolve;
      });
      const isCut = ({ kind }: Call) => {
        if (kind === 'keyChange') told();
        return kind === 'keyChange';
      };
      const isBefore = when.startsWith('before');
      const held = isBefore ? undefined : proxy.hold('keyChange');
      held?.seen.then(told, () => {});
      if (isBefore) proxy.cut(isCut, 'before');
      await ask(redis, 'account.rollover', { issuer: 'pebble' });
      await seen;
      await agent.kill('SIGKILL');
      held?.drop();
      expect((await shown(site)).state).toBe('changing-key');
      const next = keep(await site.start());
      await site.json('hosts', 'add', later);
      await issued(site, [later], { timeoutMs: 60_000 });
      await until('the key is settled', () => next.output().includes('the ACME account has a new key'));
      const after = await shown(site);
      expect(after).toMatchObject({ state: 'ok', url: before.url });
      expect(after.thumbprint).not.toBe(before.thumbprint);
      expect(opened(proxy)).toBe(1);
    },
    150_000,
  );
});

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
  }, 90_000);
});

describe('a CA that binds accounts to its customers', () => {
  it('gets the key of the file, and without one says so to people', async () => {
    const hmacKey = Buffer.alloc(32, 7).toString('base64url');
    const pebble = keep(await startPebble({ eab: { 'customer-1': hmacKey } }));
    const [host = ''] = hostNames(1);
    const site = await hostsSite({ pebble, hosts: [host] });
    const agent = keep(await site.start());
    await until('the order fails', async () =>
      (await site.run('why', host)).stdout.includes('bound to a customer'),
    );
    const eab = { keyId: 'customer-1', hmacKey };
    const issuers = { pebble: { ...issuerAt(pebble), eab } };
    site.configure(hostsConfig(site, { pebble, hosts: [host], config: { issuers } }));
    process.kill(agent.pid, 'SIGHUP');
    await issued(site, [host]);
    expect((await shown(site)).state).toBe('ok');
  }, 90_000);
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
  }, 90_000);
});
