import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { haproxy } from '../../src/deploy/haproxy.ts';
import { createTalk } from '../../src/deploy/haproxy-socket.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { describeTargetFaults } from '../contract/target-faults.ts';
import { hasServer } from '../support/fetch/index.ts';
import { fingerprintOf, handshake } from '../support/handshake.ts';
import { startHaproxy, type TestHaproxy } from '../support/haproxy.ts';
import { createPluginContext, hastyClock } from '../support/plugin-context.ts';
import { createFaultyRelay } from '../support/targets/relay.ts';
import { deployNow, makeBundle, signal, slot, slotOf } from './fixture.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function started(...options: Parameters<typeof startHaproxy>): Promise<TestHaproxy> {
  const server = await startHaproxy(...options);
  closing.push(server.stop);
  return server;
}

async function createTarget({
  socket,
  certs,
  crtList,
}: Pick<TestHaproxy, 'socket' | 'certs' | 'crtList'>): Promise<Deployer> {
  const options = haproxy.options.parse({ socket, path: certs, ...(crtList && { crtList }) });
  return haproxy.create(options, createPluginContext('edge', hastyClock));
}

function ask({ socket }: Pick<TestHaproxy, 'socket'>, command: string): Promise<string> {
  return createTalk({ path: socket }, systemClock)(command, signal);
}

/** What a client of this kind is shown; undefined: nothing but the default, or what is there for a wildcard. */
async function shownTo(server: TestHaproxy, { label, keyClass }: DeployRequest['slot']) {
  const servername = label.replace('*', 'any');
  const shown = await handshake({ port: server.port, servername, keyClass }).catch(() => undefined);
  return shown?.subjectAltName?.split(', ').includes(`DNS:${label}`) ? shown : undefined;
}

describe.skipIf(!hasServer('haproxy'))('with a real HAProxy (needs haproxy)', () => {
  describe.each([{ listed: false }, { listed: true }])(
    'whose certificates are in a file: $listed',
    (options) => {
      describeDeployTarget('haproxy', async () => {
        const server = await startHaproxy(options);
        return {
          create: () => createTarget(server),
          read: async (where) => {
            const shown = await shownTo(server, where);
            return shown && { certificatePem: shown.toString(), keyPem: undefined };
          },
          breakTarget: async () => {
            renameSync(server.socket, `${server.socket}.away`);
            return async () => renameSync(`${server.socket}.away`, server.socket);
          },
          close: server.stop,
        };
      });

      it('keeps what it serves for the next start', async () => {
        const server = await started(options);
        const target = await createTarget(server);
        const [bundle, wildcard] = [await makeBundle([slot.label]), await makeBundle(['*.b.example.com'])];
        await deployNow(target, { bundle, slot });
        await deployNow(target, { bundle: wildcard, slot: slotOf('*.b.example.com') });
        const next = await server.restart();
        closing.push(next.stop);
        for (const [where, one] of [
          [slot, bundle],
          [slotOf('*.b.example.com'), wildcard],
        ] as const) {
          const shown = await shownTo(next, where);
          expect(shown && fingerprintOf(shown)).toBe(one.certificate.fingerprint);
          expect(await (await createTarget(next)).observe(where, signal)).toBe(one.certificate.fingerprint);
        }
        await (await createTarget(next)).remove?.(slot, signal);
        const last = await next.restart();
        closing.push(last.stop);
        expect(await shownTo(last, slot)).toBeUndefined();
      });
    },
  );

  describeTargetFaults('haproxy', async () => {
    const server = await startHaproxy();
    const relay = await createFaultyRelay(server.socket);
    return {
      server: {
        faultAfter: relay.faultAfter,
        stop: async () => {
          await relay.stop();
          await server.stop();
        },
      },
      create: () => createTarget({ ...server, socket: relay.address }),
      served: async (where) => {
        const shown = await shownTo(server, where);
        return shown && fingerprintOf(shown);
      },
      held: async () =>
        [
          await ask(server, 'show ssl cert').then((text) =>
            text.replace(/^.*default\.pem$/m, '').replaceAll(server.certs, ''),
          ),
          await ask(server, `show ssl crt-list ${server.certs}`).then((text) =>
            text.split('\n').slice(1).join().replaceAll(server.certs, ''),
          ),
          ...readdirSync(server.certs).map(
            (name) => `${name} ${readFileSync(join(server.certs, name), 'utf8')}`,
          ),
        ].filter((text) => text.replace('# filename', '').trim() !== ''),
    };
  });

  it('a certificate that HAProxy refuses leaves the old one served, on disk, and no transaction', async () => {
    const server = await started();
    const target = await createTarget(server);
    const [older, newer] = [await makeBundle([slot.label]), await makeBundle([slot.label])];
    await deployNow(target, { bundle: older, slot });
    const before = readdirSync(server.certs);
    const mixed = { ...newer, privateKey: older.privateKey };
    await expect(target.deploy({ bundle: mixed, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('HAProxy does not put'),
    });
    expect(readdirSync(server.certs)).toEqual(before);
    expect(await target.observe(slot, signal)).toBe(older.certificate.fingerprint);
    expect(await ask(server, 'show ssl cert')).not.toContain('# transaction');
    expect(await deployNow(target, { bundle: newer, slot })).toBe(newer.certificate.fingerprint);
  });

  it('a chain that changes while the certificate stays is replaced, too', async () => {
    const server = await started();
    const target = await createTarget(server);
    const bundle = await makeBundle([slot.label], { chain: 2 });
    await deployNow(target, { bundle: { ...bundle, chainDer: [] }, slot });
    await deployNow(target, { bundle, slot });
    expect(await ask(server, `show ssl cert ${server.certs}/example.com+www.example.com.pem`)).toContain(
      'Chain Subject',
    );
  });

  it('a transaction that somebody died over is waited for, and aborted', async () => {
    const server = await started();
    const target = await createTarget(server);
    const bundle = await makeBundle([slot.label]);
    const default_ = join(server.certs, '..', 'default.pem');
    expect(await ask(server, `set ssl cert ${default_} <<\n${readFileSync(default_, 'utf8')}`)).toContain(
      'Transaction created',
    );
    expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
    const shown = await handshake({ port: server.port, servername: 'other.test' });
    expect(shown.raw.equals(new X509Certificate(server.defaultPem).raw)).toBe(true);
  });

  it('what lies on disk is not believed: what HAProxy serves is', async () => {
    const server = await started();
    const target = await createTarget(server);
    const [one, other] = [await makeBundle([slot.label]), await makeBundle([slot.label])];
    await deployNow(target, { bundle: one, slot });
    const file = `${server.certs}/example.com+www.example.com.pem`;
    const pem = readFileSync(file, 'utf8');
    await deployNow(target, { bundle: other, slot });
    await ask(server, `set ssl cert ${file} <<\n${pem}`);
    await ask(server, `commit ssl cert ${file}`);
    await expect(target.observe(slot, signal)).rejects.toMatchObject({ code: 'deploy.mismatch' });
    expect(await deployNow(target, { bundle: other, slot })).toBe(other.certificate.fingerprint);
  });

  it('a certificate that is in memory and in no list is not served, and listed anew', async () => {
    const server = await started();
    const target = await createTarget(server);
    const bundle = await makeBundle([slot.label]);
    await deployNow(target, { bundle, slot });
    await ask(server, `del ssl crt-list ${server.certs} ${server.certs}/example.com+www.example.com.pem`);
    expect(await target.observe(slot, signal)).toBeUndefined();
    expect(await shownTo(server, slot)).toBeUndefined();
    expect(await deployNow(target, { bundle, slot })).toBe(bundle.certificate.fingerprint);
    expect(await shownTo(server, slot)).toBeDefined();
  });

  it('files are readable for nobody else, and in nobody’s way when HAProxy starts', async () => {
    const server = await started({ listed: true });
    const target = await createTarget(server);
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    for (const name of readdirSync(server.certs))
      expect(statSync(join(server.certs, name)).mode & 0o777).toBe(0o600);
    expect(readFileSync(server.crtList ?? '', 'utf8')).toBe(
      `${server.certs}/example.com+www.example.com.pem\n`,
    );
  });

  it('a check tells of a socket without rights, and of a list that HAProxy does not know', async () => {
    const server = await started();
    await (await createTarget(server)).check?.(signal);
    expect(readdirSync(server.certs)).toEqual([]);
    const elsewhere = await createTarget({ ...server, certs: join(server.certs, '..', 'other') });
    await expect(elsewhere.check?.(signal)).rejects.toMatchObject({
      retry: 'blocked',
      advice: expect.stringContaining('"crt '),
    });
    const weak = await started({ level: 'user' });
    await expect((await createTarget(weak)).check?.(signal)).rejects.toMatchObject({
      code: 'deploy.target',
      advice: expect.stringContaining('level admin'),
    });
  });
});

it('an answer that was cut is none, and one that never ends is given up', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      if (String(data).startsWith('cut')) socket.end('Succ');
      else socket.write(Buffer.alloc(17 * 1024 * 1024, 'x'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => server.close());
  const talk = createTalk({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, systemClock);
  await expect(talk('cut', signal)).rejects.toMatchObject({ code: 'deploy.target' });
  await expect(talk('endless', signal)).rejects.toThrow(/more than/);
});

it.each([
  ['10.0.0.7:9999', 'path'],
  ['haproxy.sock', 'path'],
  ['/run/haproxy.sock', undefined],
  ['127.0.0.1:9999', undefined],
])('the socket %s is an address of this machine, or refused', (socket, refusal) => {
  const parsed = haproxy.options.safeParse({ socket, path: '/etc/haproxy/acme' });
  expect(parsed.success).toBe(refusal === undefined);
  expect(haproxy.options.safeParse({ socket, path: '/etc/a; b' }).success).toBe(false);
});
