import { describe, expect, test } from 'vitest';
import { certsAdd } from '../../src/operations/certs-add.ts';
import { domainsAdd, domainsRemove } from '../../src/operations/domains.ts';
import { issuerAt, keyDer, keyPem, rsaKey } from '../support/forge.ts';
import { handIn, intermediate, root } from '../x509/upload/pki.ts';
import { bench, day, start, useBench } from './fixture.ts';
import { bundleOf, chainPem, issued, upload } from './uploads-kit.ts';

useBench();

const custom = { mode: 'custom' };
const www = () => issued(['www.example.com']);
const due = (id: string) => bench.needs.due.at('deploy', `files|${id}`);

describe('an uploaded certificate', () => {
  test('is held with its chain and key, in a lineage of its own, and deployed at once', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const one = www();
    const added = await upload(one, {}, { requestedBy: 'ops' });
    expect(added).toMatchObject({
      id: expect.stringMatching(/^cert-[0-9a-f]{10}$/),
      domain: 'example.com',
      names: ['www.example.com'],
      generation: 1,
      expiresAt: start + 90 * day,
      issuer: 'Test CA',
      notes: ['The root Test Root was left out: servers do not send it.'],
    });
    const bundle = await bench.needs.certificates.bundle(added.id);
    expect(Buffer.from(bundle?.leafDer ?? [])).toEqual(one.der);
    expect(bundle?.chainDer.map((der) => Buffer.from(der))).toEqual([intermediate.der]);
    expect(Buffer.from(bundle?.privateKey.reveal() ?? [])).toEqual(keyDer(one.key));
    expect(bundle?.certificate).toMatchObject({ source: 'upload', keyType: 'p256' });
    expect(await bench.needs.certificates.lineage(added.id)).toMatchObject({
      source: 'upload',
      domain: 'example.com',
      label: 'www.example.com',
      wanted: { names: ['www.example.com'] },
    });
    expect(await due(added.id)).toBe(start);
    expect(bench.woken).toContainEqual({ job: 'deploy', ids: [`files|${added.id}`] });
    const [event] = await bench.events('certificate.uploaded');
    expect(event).toMatchObject({ lineage: added.id, domain: 'example.com', facts: { requestedBy: 'ops' } });
    expect(JSON.stringify([added, event])).not.toContain('PRIVATE');
  });

  test('is watched: people are reminded from its renewal point on', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const { id } = await upload(www());
    // Of a life of 91 days a third, at most thirty days.
    expect(await bench.needs.due.at('remind', id)).toBe(start + 60 * day);
    expect(await bench.needs.due.at('issue', id)).toBeUndefined();
    const short = await upload(issued(['short.example.com'], { notAfter: start + 5 * day }));
    expect(await bench.needs.due.at('remind', short.id)).toBe(start + 2 * day);
  });

  test('of the same name and kind of key becomes the next generation; of the other kind a pair', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const first = await upload(www());
    const second = await upload(www());
    expect(second).toMatchObject({ id: first.id, generation: 2 });
    const rsa = await upload(issued(['www.example.com'], { key: rsaKey(2048) }));
    expect(rsa.id).not.toBe(first.id);
    expect(rsa).toMatchObject({ generation: 1, keyType: 'rsa2048' });
    expect(await bench.needs.certificates.uploads('example.com')).toHaveLength(2);
  });

  test('that is there already changes nothing', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const one = www();
    const first = await upload(one);
    expect(await upload(one)).toMatchObject({ id: first.id, generation: 1, isOld: true });
    expect(await bench.events('certificate.uploaded')).toHaveLength(1);
  });

  test('succeeds the one that is named, wherever its label stands, and keeps its id', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const first = await upload(issued(['a.example.com', 'b.example.com']));
    const next = await upload(issued(['b.example.com', 'a.example.com', 'c.example.com']), {
      replace: first.id,
    });
    expect(next).toMatchObject({ id: first.id, generation: 2 });
    expect(await bench.needs.certificates.lineage(first.id)).toMatchObject({
      label: 'a.example.com',
      wanted: { names: ['b.example.com', 'a.example.com', 'c.example.com'] },
      current: 2,
    });
  });

  test('is for one of its names where that was said, and stays so', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const wide = () => issued(['example.com', '*.example.com']);
    const first = await upload(wide(), { name: 'shop.example.com' });
    const lineage = () => bench.needs.certificates.lineage(first.id);
    expect(await lineage()).toMatchObject({
      label: 'shop.example.com',
      wanted: { names: ['shop.example.com'] },
    });
    await upload(wide(), { replace: first.id });
    expect(await lineage()).toMatchObject({ current: 2, wanted: { names: ['shop.example.com'] } });
    expect((await upload(wide())).id).not.toBe(first.id);
  });

  test('for names of several domains is of the one that was said; the others are not shown it', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    await bench.run(domainsAdd, { name: 'example.org', ...custom });
    const both = issued(['www.example.com', 'www.example.org']);
    await expect(upload(both)).rejects.toMatchObject({
      code: 'command.invalid',
      message:
        'its names lie under several domains: example.com, example.org; say which domain it is for, and bind the names of the others',
    });
    const { id } = await upload(both, { domain: 'example.org' });
    expect(await bench.needs.certificates.lineage(id)).toMatchObject({
      domain: 'example.org',
      wanted: { names: ['www.example.org'] },
    });
  });

  test('whose intermediate is missing gets it from where the certificate says, if that is allowed', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const url = 'http://ca.example/ca.cer';
    const one = issued(['www.example.com'], { extensions: [issuerAt(url)] });
    const bare = handIn(one.pem + keyPem(one.key));
    await expect(upload(bare)).rejects.toMatchObject({
      message: expect.stringContaining(`is missing; add it to the chain (${url})`),
    });
    bench.settings = { fetchesIssuers: true };
    await expect(upload(bare)).rejects.toMatchObject({
      message: expect.stringMatching(/could not be fetched: nothing is there/),
    });
    bench.published.set(url, [intermediate.der]);
    await expect(upload(bare)).rejects.toMatchObject({
      message: expect.stringContaining(
        'the certificate of Test Root, which issued that of Test CA, is missing',
      ),
    });
    bench.published.set(url, [intermediate.der, root.der]);
    expect((await upload(bare)).notes).toContain('What was missing in the chain was fetched.');
  });
});

describe('an upload that is refused stores nothing:', () => {
  const cases: readonly (readonly [string, () => Promise<unknown>, string])[] = [
    [
      'for no domain that there is',
      () => upload(issued(['www.example.net'])),
      'no domain is configured for www.example.net; add it first: "domains add example.net --mode custom"',
    ],
    [
      'for another domain than was said',
      () => upload(www(), { domain: 'example.org' }),
      'the certificate has no name under example.org: it is for www.example.com',
    ],
    [
      'for a domain that is not there',
      () => upload(www(), { domain: 'example.edu' }),
      expect.stringContaining('there is no domain example.edu'),
    ],
    [
      'not for the name that was said',
      () => upload(www(), { name: 'api.example.com' }),
      'the certificate is not for api.example.com, but for www.example.com',
    ],
    [
      'for a whole domain without the domain itself',
      () => upload(issued(['*.example.com'])),
      'a certificate for all of example.com needs both example.com and *.example.com; this one lacks example.com; use force if that is meant',
    ],
    [
      'in place of one that was not uploaded',
      () => upload(www(), { replace: 'example.org/www.example.org/ec' }),
      'example.org/www.example.org/ec was not uploaded, so no upload can succeed it; leave replace out',
    ],
    [
      'without a key',
      () => upload(handIn(www().pem + chainPem)),
      'there is no private key; give the one that the certificate was made for',
    ],
    [
      'expired',
      () => upload(issued(['www.example.com'], { notAfter: start - day })),
      'it expired at 2026-11-19T12:00:00.000Z',
    ],
  ];

  test.each(cases)('%s', async (_, attempt, message) => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    await bench.run(domainsAdd, { name: 'example.org', hosts: ['www.example.org'], mode: 'individual' });
    const before = await bench.needs.certificates.lineages();
    await expect(attempt()).rejects.toMatchObject({ message });
    expect(await bench.needs.certificates.lineages()).toEqual(before);
    expect(await bench.events('certificate.uploaded')).toEqual([]);
  });

  test('a successor of another kind of key, or that covers less', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const { id } = await upload(issued(['a.example.com', 'b.example.com']));
    const rsa = issued(['a.example.com', 'b.example.com'], { key: rsaKey(2048) });
    await expect(upload(rsa, { replace: id })).rejects.toMatchObject({
      message: `${id} has an ECDSA key and this one has not: upload it beside the other, without replace`,
    });
    const less = issued(['a.example.com']);
    await expect(upload(less)).rejects.toMatchObject({
      message: `it is not for b.example.com, which ${id} is for; use force if that is meant`,
    });
    expect(await bench.needs.certificates.lineage(id)).toMatchObject({ current: 1, generations: [1] });
    expect(await upload(less, { force: true })).toMatchObject({ id, generation: 2 });
  });

  test('to a domain that left the file', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const domain = await bench.needs.wishes.domain('example.com');
    if (domain === undefined) throw new Error('no domain');
    await bench.needs.changes.commit({
      putDomains: [{ ...domain, origin: { kind: 'file', line: 3 }, disabledAt: start }],
    });
    await expect(upload(www())).rejects.toMatchObject({ code: 'command.conflict' });
  });
});

describe('what was staged', () => {
  test('is sealed, named by an id, and forgotten when it is used', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const files = bundleOf(www());
    const staging = await bench.needs.staging.put(files);
    const staged = await bench.needs.staging.get(staging);
    if (staged === undefined || !('files' in staged)) throw new Error('nothing is staged');
    expect(staged.files.certificate.reveal()).toEqual(files.certificate.reveal());
    const { id } = await bench.run(certsAdd, { staging });
    expect(await bench.needs.staging.get(staging)).toEqual({ usedFor: id });
    await expect(bench.run(certsAdd, { staging })).rejects.toMatchObject({
      code: 'command.conflict',
      message: `these files were taken already, as ${id}`,
    });
  });

  test('and is used by a run that was cut off before its answer, answers the next run the same', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const staging = await bench.needs.staging.put(bundleOf(www()));
    const first = await bench.run(certsAdd, { staging });
    const again = await bench.run(certsAdd, { staging }, { isRepeat: true });
    expect(again).toEqual({ ...first, notes: [] });
    expect(await bench.needs.certificates.uploads('example.com')).toHaveLength(1);
  });

  test('is forgotten when it is refused', async () => {
    await bench.run(domainsAdd, { name: 'example.com', ...custom });
    const staging = await bench.needs.staging.put(handIn('nothing'));
    await expect(bench.run(certsAdd, { staging })).rejects.toMatchObject({ code: 'command.invalid' });
    await expect(bench.run(certsAdd, { staging })).rejects.toMatchObject({
      code: 'command.notFound',
      message: expect.stringContaining('it is kept for 15 minutes'),
    });
  });
});

test('an upload of a domain that was removed stays, and is shown for nothing', async () => {
  await bench.run(domainsAdd, { name: 'example.com', ...custom });
  const { id } = await upload(www());
  await bench.run(domainsRemove, { name: 'example.com' });
  expect(await bench.needs.certificates.certificate(id)).toBeDefined();
  await expect(upload(www())).rejects.toMatchObject({ code: 'command.notFound' });
});
