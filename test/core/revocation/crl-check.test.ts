import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCrls } from '../../../src/acme/crl.ts';
import { systemClock } from '../../../src/clock.ts';
import type { Crls } from '../../../src/core/ports.ts';
import { checkRevocations } from '../../../src/core/revocation/crl-check.ts';
import type { Bundle } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { createHttp } from '../../../src/http.ts';
import { portOf } from '../../acme/kit.ts';
import { makeCrl, makeRoot, sign } from '../../x509/openssl.ts';
import { aHost, day, hour, minute } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

const api = 'example.com/api.example.com/ec';
const ca = makeRoot('Test root');
/** The same CA after it got another key. */
const renewed = makeRoot('Test root');
const never = new AbortController().signal;

let worlds: Worlds;
let world: World;
/** Serial numbers and reasons that the CA publishes. */
let published: (readonly [string, string])[];
let fetches: number;

const server = createServer((_, response) => {
  fetches++;
  response.end(makeCrl(ca, { revoked: published }));
});

beforeAll(async () => {
  worlds = await startWorlds();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await worlds.stop();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});
beforeEach(async () => {
  world = await worlds.open();
  [published, fetches] = [[], 0];
});

/** Gives a lineage a certificate of the CA, which says where its list lies. */
async function hold(id: string, name: string, serial: string, by = ca): Promise<Bundle> {
  const { store, needs } = world;
  const [held, lineage] = [await store.certificates.bundle(id), await store.certificates.lineage(id)];
  if (held === undefined || lineage === undefined) throw new Error(`${id} holds nothing`);
  const { privateKey } = held;
  const url = `http://127.0.0.1:${portOf(server)}/crl`;
  const extensions = [
    ...[`subjectAltName=DNS:${name}`, `crlDistributionPoints=URI:${url}`],
    'authorityKeyIdentifier=keyid',
  ];
  const leaf = sign(needs.pki.createCsr([name], privateKey), by, { extensions, serial });
  // openssl dates it by the real clock.
  const expected = { names: [name], privateKey, now: systemClock.now() };
  const { leafDer, ...facts } = needs.pki.readIssued(`${leaf}\n${by.pem}`, expected);
  const chainDer = [Buffer.from(by.pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')];
  const generation = held.certificate.generation + 1;
  const certificate = { ...held.certificate, ...facts, lineage: id, generation };
  const bundle = { certificate, leafDer, chainDer, privateKey };
  await store.changes.commit({ generation: bundle });
  return bundle;
}

async function check(crls?: Crls): Promise<void> {
  const http = createHttp({ allowPrivate: ['127.0.0.0/8'], clock: systemClock, userAgent: 'test' });
  const needs = { ...world.needs, crls: crls ?? createCrls({ http, clock: systemClock }) };
  await checkRevocations(needs, never).finally(() => http.close());
}

const stateOf = (id: string) => world.store.renewals.get(id);
const kinds = () => world.mail.messages.flatMap(({ notices }) => notices.map(({ kind }) => kind));

describe('a certificate that its CA revoked', () => {
  beforeEach(async () => {
    await world.want({ issuers: ['first'] }, ['www.example.com', 'api.example.com']);
    await world.live(minute);
    await hold(www, 'www.example.com', '0A');
    await hold(api, 'api.example.com', '0B');
    await world.live(minute);
  });

  it('is found in the list, which is fetched once for all, and replaced at once; people hear of it', async () => {
    published = [['0A', 'cessationOfOperation']];
    await check();
    expect(fetches).toBe(1);
    expect((await stateOf(www)).revokedAt).toBeDefined();
    expect((await stateOf(api)).revokedAt).toBeUndefined();
    await world.live(5 * minute);
    const now = await world.store.certificates.certificate(www);
    expect(now).toMatchObject({ generation: 3, issuer: 'first' });
    expect(world.web.shows(www)?.certificate.serial).toBe(now?.serial);
    expect((await stateOf(www)).revokedAt).toBeUndefined();
    expect(kinds()).toEqual(['revoked']);
    expect((await world.events('certificate.revoked', www))[0]?.facts.message).toContain('first revoked 0a');
    expect((await world.store.certificates.certificate(api))?.generation).toBe(2);
  });

  it.each([
    ['www', 'api', '0B'],
    ['api', 'www', '0A'],
  ])('is found beside %s, which its CA signed with a newer key', async (newer, held, serial) => {
    await hold(`example.com/${newer}.example.com/ec`, `${newer}.example.com`, '0C', renewed);
    published = [[serial, 'superseded']];
    await check();
    expect(fetches).toBe(1);
    expect((await stateOf(`example.com/${held}.example.com/ec`)).revokedAt).toBeDefined();
  });

  it('for a compromised key gets a new key, and that one is remembered', async () => {
    const bundle = await world.store.certificates.bundle(www);
    published = [['0A', 'keyCompromise']];
    await check();
    const bad = bundle && world.needs.pki.keyId(bundle.privateKey);
    expect((await stateOf(www)).compromised).toEqual([bad]);
    await world.live(5 * minute);
    expect((await stateOf(www)).compromised).toEqual([bad]);
  });

  it('is told once, however often the list is looked at', async () => {
    published = [['0A', 'superseded']];
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answers' });
    await check();
    await check();
    expect(await world.events('certificate.revoked', www)).toHaveLength(1);
  });

  it('gives way to the fallback when no new one can be had, and that is told at once', async () => {
    published = [['0A', 'superseded']];
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answers' });
    await check();
    await world.live(hour);
    expect(world.web.shows(www)?.certificate.source).toBe('self-signed');
    expect(world.web.shows(api)?.certificate.source).toBe('acme');
    expect(kinds()).toContain('failed');
    world.first.ways.verdict = () => undefined;
    await world.live(2 * day);
    expect(world.web.shows(www)?.certificate.source).toBe('acme');
  });

  it('is not looked for once it is replaced', async () => {
    published = [['0A', 'superseded']];
    await world.ask(true);
    await world.live(minute);
    await check();
    expect((await stateOf(www)).revokedAt).toBeUndefined();
  });

  it('is not looked for once it has expired: nobody fetches a list for it', async () => {
    await world.pass(4000 * day);
    await check();
    expect(fetches).toBe(0);
  });

  it('though nobody asks for it any more is not used again when its host comes back', async () => {
    const host = aHost('www.example.com');
    await world.run(changeWishes('example.com', () => ({ removeHosts: [host] }), world.needs));
    published = [['0A', 'superseded']];
    await check();
    await world.live(hour);
    expect(kinds()).toEqual([]);
    expect((await world.store.certificates.certificate(www))?.generation).toBe(2);
    await world.run(changeWishes('example.com', () => ({ putHosts: [host] }), world.needs));
    await world.live(hour);
    expect((await world.store.certificates.certificate(www))?.generation).toBe(3);
  });

  it('is found the next time where the list could not be used', async () => {
    published = [['0A', 'superseded']];
    const look: Crls['look'] = () => Promise.reject(new Error('nobody answers'));
    await check({ look });
    expect((await stateOf(www)).revokedAt).toBeUndefined();
    await check();
    expect((await stateOf(www)).revokedAt).toBeDefined();
  });
});
