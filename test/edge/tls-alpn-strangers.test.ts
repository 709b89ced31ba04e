import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { realHello } from './client-hello.ts';
import { acme, address, exchange, handshake, isAnswerFor, start } from './tls-alpn-kit.ts';
import { anAnswer } from './tls-answers.ts';

describe('strangers', () => {
  test('who say too little in time are closed', async () => {
    const { port } = await start({ limits: { helloMs: 100 } });
    const hello = await realHello(acme);
    await Promise.all(
      ['', hello.subarray(0, 3), hello.subarray(0, -1)].map(async (bytes) => {
        expect(await exchange(port, bytes)).toHaveLength(0);
      }),
    );
  });

  test('who never end the handshake of a challenge are closed', async () => {
    const { port, tokens } = await start({ limits: { handshakeMs: 100 } });
    expect((await exchange(port, await realHello(acme))).length).toBeGreaterThan(100);
    expect(tokens.fetched).toEqual([]);
  });

  test('of whom too many wait at once are turned away, and the others served', async () => {
    const { port } = await start({ limits: { undecided: 2, helloMs: 60_000 } });
    const idle = [1, 2].map(() => connect({ host: address, port }));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    expect(await exchange(port, await realHello(acme))).toHaveLength(0);
    for (const socket of idle) socket.destroy();
    await expect.poll(async () => (await exchange(port, 'GET')).length === 0).toBe(true);
    await expect
      .poll(() =>
        handshake(port, acme).then(
          ({ alpnProtocol }) => alpnProtocol,
          () => undefined,
        ),
      )
      .toBe('acme-tls/1');
  });

  test('with hundreds of broken ClientHellos harm nobody and leave nothing behind', async () => {
    const { port, log } = await start({ limits: { helloMs: 300, handshakeMs: 5000 } });
    const hello = await realHello(acme);
    const before = process.memoryUsage().rss;
    const attack = async (index: number) => {
      const bytes = Buffer.from(hello);
      for (let edit = 0; edit <= index % 5; edit++)
        bytes[(index * 7919 + edit * 104_729) % bytes.length] = (index * 31 + edit) % 256;
      const cut = index % 4 === 0 ? bytes.subarray(0, (index * 13) % bytes.length) : bytes;
      await exchange(port, index % 11 === 0 ? Buffer.concat([cut, Buffer.alloc(200_000, 22)]) : cut, true);
    };
    for (let round = 0; round < 10; round++)
      await Promise.all(Array.from({ length: 60 }, (_, index) => attack(round * 60 + index)));
    expect(isAnswerFor(anAnswer(), await handshake(port, acme))).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
    expect(log.lines.filter((line) => !line.startsWith('debug') && !line.startsWith('info'))).toEqual([]);
  });
});
