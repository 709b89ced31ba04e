import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPort80 } from '../../src/edge/port80.ts';
import { address, ask, connected, keyAuthorization, quiet, start, token } from './port80-kit.ts';
import { createTokens } from './tokens.ts';

describe('the life of port 80', () => {
  it('starts with an error that names the port when another program has it', async () => {
    const other = createServer().listen(0, address);
    await once(other, 'listening');
    const taken = other.address();
    const port = typeof taken === 'object' ? (taken?.port ?? 0) : 0;
    const port80 = createPort80({ port, address }, { tokens: createTokens(), log: quiet });
    await expect(port80.listen()).rejects.toMatchObject({
      code: 'config.port',
      message: expect.stringMatching(new RegExp(`port ${port} of 127.0.0.1: another program has it`)),
    });
    await port80.close();
    other.close();
    await once(other, 'close');
    onTestFinished(() => port80.close());
    await expect(port80.listen()).resolves.toEqual({ port });
  });

  it('starts with an error that names an address of another machine', async () => {
    const elsewhere = createPort80({ port: 0, address: '192.0.2.1' }, { tokens: createTokens(), log: quiet });
    await expect(elsewhere.listen()).rejects.toMatchObject({
      code: 'config.port',
      message: expect.stringContaining('no such address'),
    });
  });

  it('below 1024 without the right to it starts with an error that says how to get it', async () => {
    const root = process.geteuid?.() === 0;
    const firstFree = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    const port80 = createPort80({ port: 79, address }, { tokens: createTokens(), log: quiet });
    onTestFinished(() => port80.close());
    if (root) process.seteuid?.(65534);
    const outcome = await port80.listen().catch((error: unknown) => error);
    if (root) process.seteuid?.(0);
    // Where the kernel gives low ports to everybody, there is nothing to refuse.
    if (firstFree <= 79) return expect(outcome).toEqual({ port: 79 });
    expect(outcome).toMatchObject({
      code: 'config.port',
      message: expect.stringMatching(/^cannot listen on port 79 of 127.0.0.1: .*setcap.*systemd.*authbind/),
    });
  });

  it('ends at once although somebody holds connections, after answering what was asked before', async () => {
    let release: (value: string) => void = () => undefined;
    const looked = new Promise<string>((resolve) => {
      release = resolve;
    });
    let asked = false;
    // Nobody else ends the connection that is held.
    const slow = { headersMs: 300_000, requestMs: 300_000 };
    const { port, port80 } = await start(slow, {
      get: () => {
        asked = true;
        return looked;
      },
    });
    const holder = await connected(port);
    holder.write('GET / HTTP/1.1\r\nX-Slow: ');
    const held = once(holder, 'close');
    const answer = ask(port, `/.well-known/acme-challenge/${token}`);
    await expect.poll(() => asked).toBe(true);

    const closed = port80.close();
    release(keyAuthorization);
    expect(await answer).toMatchObject({ status: 200, body: keyAuthorization });
    await closed;
    await held;
    await expect(ask(port, '/')).rejects.toThrow();
    await port80.close();
  });
});
