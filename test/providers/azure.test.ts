import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { azure } from '../../providers/azure.ts';
import { applyChunked } from '../contract/dns-calls.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { testFolder } from '../support/run-folder.ts';
import { account, azureFront, federatedToken } from '../support/vendors/azure.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;

const vendor = {
  definition: azure,
  front: azureFront,
  options: (url: string) => ({ ...account, loginUrl: url }),
  wrongOptions: (url: string) => ({ ...account, loginUrl: url, clientSecret: 'wrong-client-secret' }),
  slow: true,
};

describeVendor(vendor);

describe('azure', () => {
  const zone = { name: 'example.test' };
  const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;
  const { subscriptionId, resourceGroup, clientSecret: _, ...application } = account;

  async function start() {
    const server = await startVendor(azureFront, {});
    onTestFinished(() => server.stop());
    return server;
  }

  it('has the token of a workload read anew for each access token', async () => {
    const server = await start();
    const federatedTokenFile = join(testFolder('azure'), 'token');
    const options = {
      subscriptionId,
      resourceGroup,
      ...application,
      federatedTokenFile,
      loginUrl: server.url,
    };
    const provider = await providerAt({ definition: azure, options }, server);
    await expect(provider.check?.(signal)).rejects.toMatchObject({
      code: 'provider.auth',
      message: expect.stringContaining(federatedTokenFile),
    });
    writeFileSync(federatedTokenFile, `${federatedToken}\n`);
    await provider.apply(zone, [add], signal);
    expect(server.world.store.txt(add.name)).toEqual(['digest']);
  });

  it('has the token of the managed identity where no application is given', async () => {
    const server = await start();
    const options = { subscriptionId, resourceGroup, metadataUrl: `${server.url}/metadata` };
    const provider = await providerAt({ definition: azure, options }, server);
    await provider.apply(zone, [add], signal);
    expect(server.world.store.txt(add.name)).toEqual(['digest']);
  });

  it('never overwrites what another writer changed between reading and writing', async () => {
    const server = await start();
    const provider = await providerAt(vendor, server);
    for (const before of [[], ['first']]) {
      server.world.writeTxt(zone.name, { name: add.name, ttl: 60, values: before });
      const hang = server.hangNext();
      const applied = applyChunked(provider, zone, [add]);
      await hang.reached;
      server.world.writeTxt(zone.name, { name: add.name, ttl: 60, values: [...before, 'of another'] });
      hang.release();
      await applied;
      expect(server.world.store.txt(add.name)).toEqual([...before, 'of another', 'digest']);
    }
  });

  it('keeps what other tools wrote beside the values of a set', async () => {
    const server = await start();
    const provider = await providerAt(vendor, server);
    const path = `/subscriptions/${subscriptionId}/resourceGroups/${encodeURIComponent(resourceGroup)}/providers/Microsoft.Network/dnsZones/example.test/TXT/_acme-challenge?api-version=2018-05-01`;
    const headers = { authorization: 'Bearer eyJ0.emulated-azure-token', 'content-type': 'application/json' };
    const metadata = { owner: 'the platform team' };
    const properties = { TTL: 60, metadata, TXTRecords: [{ value: ['theirs'] }] };
    await fetch(`${server.url}${path}`, { method: 'PUT', headers, body: JSON.stringify({ properties }) });
    await provider.apply(zone, [add], signal);
    const answer = await fetch(`${server.url}${path}`, { headers });
    expect(await answer.json()).toMatchObject({ properties: { metadata } });
  });

  it('says that the identity has no rights on any zone of a name', async () => {
    const server = await start();
    const provider = await providerAt(vendor, server);
    server.deny(true);
    await expect(provider.findZone?.(add.name, signal)).rejects.toMatchObject({ code: 'provider.forbidden' });
  });

  it.each([
    { tenantId: 't' },
    { tenantId: 't', clientId: 'c' },
    { tenantId: 't', clientId: 'c', clientSecret: 's', federatedTokenFile: '/f' },
    { clientSecret: 's' },
  ])('refuses half an identity: %o', (half) => {
    const parsed = azure.options.safeParse({ subscriptionId, resourceGroup, ...half });
    expect(parsed.error?.message).toMatch(/either clientSecret or federatedTokenFile/);
  });
});
