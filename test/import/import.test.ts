import { describe, expect, test } from 'vitest';
import type { Settings } from '../../src/core/types.ts';
import type { OtherClient } from '../../src/import/import.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsAdd } from '../../src/operations/hosts.ts';
import { generateKey } from '../../src/x509/key.ts';
import { bench, useBench } from '../operations/fixture.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  acmeShFolder,
  certbotFolder,
  day,
  legoFolder,
  letsencrypt,
  madeCertificate,
  now,
} from './folders.ts';
import { accountUrl, certbotAt, lineages, ordering, outcomes, settings, take } from './given.ts';

useBench();

const folders = {
  certbot: certbotFolder,
  'acme.sh': acmeShFolder,
  lego: legoFolder,
} as const;

describe.each(Object.keys(folders) as OtherClient[])('the folder of %s', (client) => {
  async function filled() {
    const key = await generateKey(client === 'certbot' ? 'rsa2048' : 'p256');
    const folder = folders[client](testFolder(`import-${client}`), { url: accountUrl, key });
    const single = await madeCertificate(['www.example.org']);
    const double = await madeCertificate(['example.net', 'www.example.net'], { keyType: 'rsa2048' });
    folder.add('www.example.org', single);
    folder.add('example.net', double);
    return { folder, key };
  }

  test('gives its account and certificates, and nothing is ordered', async () => {
    const { folder, key } = await filled();
    const items = await take(client, folder.root);
    expect(outcomes(items)).toEqual({
      'account letsencrypt': 'taken',
      'example.net www.example.net': 'taken',
      'www.example.org': 'taken',
    });
    const account = await bench.needs.accounts.get('letsencrypt');
    expect(account).toMatchObject({
      url: accountUrl,
      directoryUrl: letsencrypt,
      contacts: ['mailto:a@example.com'],
    });
    expect(Buffer.compare(account?.key.reveal() ?? Buffer.alloc(0), key.reveal())).toBe(0);
    expect((await lineages()).map(({ id }) => id).sort()).toEqual([
      'example.net/example.net/ec',
      'example.org/www.example.org/ec',
    ]);
    expect(await ordering()).toEqual([]);
    const held = await bench.needs.certificates.bundle('example.org/www.example.org/ec');
    expect(held?.certificate).toMatchObject({
      generation: 1,
      issuer: 'letsencrypt',
      account: accountUrl,
      ariCertId: expect.any(String),
      keyType: 'p256',
      names: ['www.example.org'],
    });
    expect(held?.chainDer).toHaveLength(1);
    expect(await bench.needs.due.at('deploy', 'files|example.org/www.example.org/ec')).toBe(bench.now);
    const { renewAt = 0 } = await bench.needs.renewals.get('example.org/www.example.org/ec');
    expect(renewAt).toBeGreaterThanOrEqual(now + 30 * day);
    expect(items.find(({ names }) => names?.length === 2)?.note).toContain('its key is rsa2048');
  });

  test('is shown by a dry run that changes nothing, and a second run changes nothing', async () => {
    const { folder } = await filled();
    const shown = await take(client, folder.root, { dryRun: true });
    expect(Object.values(outcomes(shown))).toEqual(['would be taken', 'would be taken', 'would be taken']);
    expect(await lineages()).toEqual([]);
    expect(await bench.needs.accounts.get('letsencrypt')).toBeUndefined();

    await take(client, folder.root);
    const before = await lineages();
    const events = (await bench.needs.events.recent(100)).length;
    const again = await take(client, folder.root);
    expect(Object.values(outcomes(again))).toEqual(['there already', 'there already', 'there already']);
    expect(await lineages()).toEqual(before);
    expect(await bench.needs.events.recent(100)).toHaveLength(events);
  });
});

describe('an imported certificate', () => {
  test('goes to the policy that wants its names already', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'individual' });
    await bench.run(hostsAdd, { names: ['www.example.com'] });
    const { root } = await certbotAt({ 'www.example.com': await madeCertificate(['www.example.com']) });
    // As the settings of this agent have it.
    await take('certbot', root);
    expect((await lineages()).map(({ id, current }) => [id, current])).toEqual([
      ['example.com/www.example.com/ec', 1],
    ]);
    expect(await ordering()).toEqual([]);
  });

  test('that is due is renewed, as if it had been ordered here', async () => {
    const late = await madeCertificate(['www.example.com'], { notAfter: now + 5 * day });
    const { root } = await certbotAt({ 'www.example.com': late });
    await take('certbot', root);
    bench.now = now + 2 * day;
    expect(await ordering()).toEqual(['example.com/www.example.com/ec']);
  });

  test('for several names, or of a domain without certificates for hosts, makes a group', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'wildcard', dnsAccount: 'route53' });
    const { root } = await certbotAt({ 'www.example.com': await madeCertificate(['www.example.com']) });
    await take('certbot', root);
    expect(await bench.needs.wishes.groups('example.com')).toEqual([
      {
        domain: 'example.com',
        label: 'www.example.com',
        names: ['www.example.com'],
        origin: { kind: 'runtime' },
      },
    ]);
    // The wildcard was wanted before.
    expect(await ordering()).toEqual(['example.com/*.example.com/ec']);
  });

  test('for a name and its wildcard makes a wildcard domain, where the DNS can be written', async () => {
    const made = { 'example.com': await madeCertificate(['example.com', '*.example.com']) };
    const { root } = await certbotAt(made);
    const [, refused] = await take('certbot', root);
    expect(refused).toMatchObject({ outcome: 'not taken', note: expect.stringContaining('DNS account') });
    const withDns = { ...settings, defaults: { ...settings.defaults, dnsAccount: 'route53' } };
    const items = await take('certbot', root, { settings: withDns });
    expect(items.at(-1)).toMatchObject({ outcome: 'taken', into: 'example.com/*.example.com/ec' });
    expect(await ordering()).toEqual([]);
  });

  test('of each kind of key has its own lineage where the domain wants both', async () => {
    const both: Settings = { ...settings, defaults: { ...settings.defaults, keyTypes: ['p256', 'rsa2048'] } };
    const folder = acmeShFolder(testFolder('import'), { url: accountUrl, key: await generateKey('p256') });
    folder.add('www.example.com', await madeCertificate(['www.example.com']));
    folder.add('www.example.com', await madeCertificate(['www.example.com'], { keyType: 'rsa2048' }), false);
    const items = await take('acme.sh', folder.root, { settings: both });
    expect(items.map(({ outcome }) => outcome)).toEqual(['taken', 'taken', 'taken']);
    expect(await ordering()).toEqual([]);
    expect((await lineages()).map(({ id }) => id)).toEqual([
      'example.com/www.example.com/ec',
      'example.com/www.example.com/rsa',
    ]);
  });

  test('of the wanted kind of key comes before another, and the newest before others', async () => {
    const old = await madeCertificate(['www.example.com'], { notAfter: now + 20 * day });
    const rsa = await madeCertificate(['www.example.com'], { keyType: 'rsa2048', notAfter: now + 80 * day });
    const young = await madeCertificate(['www.example.com']);
    const { root } = await certbotAt({ 'a-0001': old, 'b-0002': rsa, 'c-0003': young });
    const items = await take('certbot', root);
    expect(items.flatMap(({ at, outcome }) => (outcome === 'taken' ? [at.split('/').at(-1)] : []))).toEqual([
      'a1b2',
      'c-0003',
    ]);
    const again = await take('certbot', root);
    expect(again.map(({ outcome }) => outcome).sort()).toEqual([
      'not taken',
      'not taken',
      'there already',
      'there already',
    ]);
  });

  test('that was renewed here since is there already', async () => {
    const { root } = await certbotAt({ x: await madeCertificate(['www.example.com']) });
    await take('certbot', root);
    const id = 'example.com/www.example.com/ec';
    const bundle = await bench.needs.certificates.bundle(id);
    if (bundle === undefined) throw new Error('nothing was taken');
    const renewed = { ...bundle.certificate, generation: 2, fingerprint: 'another', serial: '02' };
    await bench.needs.changes.commit({ generation: { ...bundle, certificate: renewed } });
    const [, item] = await take('certbot', root);
    expect(item).toMatchObject({ into: id, outcome: 'there already' });
  });
});
