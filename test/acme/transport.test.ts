import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createTransport, type Transport } from '../../src/acme/transport.ts';
import { systemClock } from '../../src/clock.ts';
import { silence, startFakeCa } from './fake-ca.ts';
import { never, portOf } from './kit.ts';

const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function startCa() {
  const ca = await startFakeCa();
  stops.push(() => ca.stop());
  return ca;
}

function open(options: { trustPem?: string; proxyUrl?: string }, clock = systemClock): Transport {
  const transport = createTransport({ userAgent: 'test', ...options }, clock);
  stops.push(() => transport.close());
  return transport;
}

describe('the transport', () => {
  test('goes through the proxy of the issuer', async () => {
    const ca = await startCa();
    const tunnels: string[] = [];
    const sockets: Socket[] = [];
    const proxy = createServer().on('connect', (request, socket) => {
      tunnels.push(request.url ?? '');
      const [host, port] = (request.url ?? '').split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      sockets.push(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    stops.push(async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    });
    const transport = open({ trustPem: ca.trustPem, proxyUrl: `http://127.0.0.1:${portOf(proxy)}` });
    expect((await transport.send({ method: 'GET', url: ca.directoryUrl }, never)).status).toBe(200);
    expect(tunnels).toEqual([new URL(ca.url).host]);
  });

  test('uses a bounded number of connections for any number of requests', async () => {
    const ca = await startCa();
    const transport = open({ trustPem: ca.trustPem });
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => transport.send({ method: 'GET', url: ca.directoryUrl }, never)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(ca.connections()).toBeLessThanOrEqual(16);
  });

  test('gives up an exchange at its deadline, however slowly the answer drips', async () => {
    const ca = await startCa();
    const deadlines: { ms: number; run: () => void }[] = [];
    const after = (ms: number, run: () => void) => {
      deadlines.push({ ms, run });
      return () => {};
    };
    const transport = open({ trustPem: ca.trustPem }, { ...systemClock, after });
    ca.fail('/dir', (response) => response.writeHead(200).write('{'));
    const answer = transport.send({ method: 'GET', url: ca.directoryUrl }, never);
    answer.catch(() => {});
    await expect.poll(() => ca.requests).toHaveLength(1);
    expect(deadlines.map(({ ms }) => ms)).toEqual([10_000]);
    deadlines[0]?.run();
    await expect(answer).rejects.toMatchObject({ code: 'acme.network', message: /10 s/ });
  });

  test('aborts a request that still waits for its connection', async () => {
    const server = createTcpServer();
    const sockets: Socket[] = [];
    const reached = new Promise<void>((resolve) => {
      server.on('connection', (socket) => {
        sockets.push(socket);
        resolve();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const abort = new AbortController();
    const answer = open({}).send(
      { method: 'GET', url: `https://127.0.0.1:${portOf(server)}/dir` },
      abort.signal,
    );
    answer.catch(() => {});
    await reached;
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });

  test('sends nothing for a signal that was aborted before', async () => {
    const ca = await startCa();
    const answer = open({ trustPem: ca.trustPem }).send(
      { method: 'GET', url: ca.directoryUrl },
      AbortSignal.abort(new Error('too late')),
    );
    await expect(answer).rejects.toThrow('too late');
    expect(ca.requests).toEqual([]);
  });

  test('names the host and the cause when nobody listens', async () => {
    const ca = await startFakeCa();
    await ca.stop();
    const { host } = new URL(ca.url);
    await expect(
      open({ trustPem: ca.trustPem }).send({ method: 'GET', url: ca.directoryUrl }, never),
    ).rejects.toMatchObject({ code: 'acme.network', message: expect.stringContaining(host) });
  });

  test('goes on with the next connection after one was aborted', async () => {
    const ca = await startCa();
    const transport = open({ trustPem: ca.trustPem });
    ca.fail('/dir', ...Array.from({ length: 20 }, () => silence));
    const abort = new AbortController();
    const stuck = Array.from({ length: 20 }, () =>
      transport.send({ method: 'GET', url: ca.directoryUrl }, abort.signal).catch(() => 'aborted'),
    );
    await expect.poll(() => ca.requests).toHaveLength(16);
    abort.abort();
    expect(new Set(await Promise.all(stuck))).toEqual(new Set(['aborted']));
    expect((await transport.send({ method: 'GET', url: ca.url }, never)).status).toBe(404);
  });

  test('leaves an exchange that may go on to itself, whatever becomes of its caller, and ends it in time', async () => {
    const ca = await startCa();
    const timers: { readonly ms: number; readonly run: () => void }[] = [];
    const clock = {
      ...systemClock,
      after: (ms: number, run: () => void) => {
        timers.push({ ms, run });
        return () => {};
      },
    };
    const transport = open({ trustPem: ca.trustPem }, clock);
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      ca.fail('/dir', (response) => response.on('close', resolve));
    }).then(() => {
      isClosed = true;
    });
    const abort = new AbortController();
    const request = { method: 'GET', url: ca.directoryUrl, patienceMs: 10_000, unheardMs: 20_000 } as const;
    const answer = transport.send(request, abort.signal).catch((error) => error);
    await expect.poll(() => ca.requests).toHaveLength(1);
    timers[0]?.run();
    expect(await answer).toMatchObject({ code: 'acme.network', facts: { isUnderWay: true } });
    abort.abort();
    // The CA has had the time to see a hang-up, had there been one.
    await transport.send({ method: 'GET', url: ca.url }, never);
    expect(isClosed).toBe(false);
    expect(timers[1]?.ms).toBe(20_000);
    timers[1]?.run();
    await closed;
  });
});
