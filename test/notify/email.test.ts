import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, test } from 'vitest';
import type { Notifier } from '../../src/core/ports.ts';
import { email } from '../../src/notify/email.ts';
import { canary } from '../support/canaries.ts';
import { createAuthority } from '../support/tls.ts';
import { contextAtNow, notice } from './notices.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const never = new AbortController().signal;
const plain = { tls: 'none', from: 'Agent <agent@example.net>', to: ['root@example.net'] };

test('a message has text and HTML and goes to the recipient of the notices', async () => {
  const server = await startServer();
  const notifier = await create({ ...plain, ...server.address });
  await notifier.send([notice({})], 'ops@example.com', never);
  const [mail] = server.mails;
  expect(mail).toMatchObject({ from: 'agent@example.net', to: ['ops@example.com'] });
  expect(mail?.content).toContain('Subject: [acme-agent] No new certificate for www.example.com');
  expect(mail?.content).toMatch(/Content-Type: text\/plain/);
  expect(mail?.content).toMatch(/Content-Type: text\/html/);
  expect(mail?.content).toContain('Auto-Submitted: auto-generated');
});

test('without a recipient it goes to the people of the notifier', async () => {
  const server = await startServer();
  const notifier = await create({ ...plain, ...server.address });
  await notifier.send([notice({ recipients: [] })], undefined, never);
  expect(server.mails[0]?.to).toEqual(['root@example.net']);
  const lonely = await create({ ...plain, ...server.address, to: [] });
  await expect(lonely.send([notice({})], undefined, never)).rejects.toMatchObject({
    code: 'notify.rejected',
    message: expect.stringContaining('has nobody to write to'),
  });
});

test('several notices are one message, for people', async () => {
  const server = await startServer();
  const notifier = await create({ ...plain, ...server.address });
  const notices = ['a', 'b', 'c'].map((label) => notice({ id: label, names: [`${label}.example.com`] }));
  await notifier.send(notices, 'ops@example.com', never);
  expect(notifier.digest).toBe(true);
  expect(server.mails).toHaveLength(1);
  for (const { names } of notices) expect(server.mails[0]?.content).toContain(names[0]);
});

test('a message that is sent again has the same Message-ID', async () => {
  const server = await startServer();
  const notifier = await create({ ...plain, ...server.address });
  for (const id of ['1', '1', '2']) await notifier.send([notice({ id })], 'ops@example.com', never);
  const ids = server.mails.map(({ content }) => /^Message-ID: (.+)$/im.exec(content)?.[1]);
  expect(ids[0]).toMatch(/^<[0-9a-f]{32}@acme-agent\.example\.net>$/);
  expect([ids[0] === ids[1], ids[0] === ids[2]]).toEqual([true, false]);
});

describe('when the server refuses', () => {
  test.each([
    [550, 'notify.rejected'],
    [452, 'notify.failed'],
  ])('a recipient with %i, that is %s with its words', async (responseCode, code) => {
    const server = await startServer({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('no such box'), { responseCode })),
    });
    const notifier = await create({ ...plain, ...server.address });
    await expect(notifier.send([notice({})], 'ops@example.com', never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${responseCode} no such box`),
    });
  });

  test('the connection, that is a failure', async () => {
    const server = await startServer();
    await closing.pop()?.();
    const notifier = await create({ ...plain, ...server.address });
    await expect(notifier.send([notice({})], 'ops@example.com', never)).rejects.toMatchObject({
      code: 'notify.failed',
      message: expect.stringContaining(`127.0.0.1:${server.address.port}`),
    });
  });

  test('the password, the error does not show it', async () => {
    const server = await startServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(new Error('Invalid credentials')),
    });
    const notifier = await create({
      ...plain,
      ...server.address,
      username: 'agent',
      password: 'canary-wrong',
    });
    const error = await notifier
      .send([notice({})], 'ops@example.com', never)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'notify.rejected' });
    expect(inspect(error, { depth: 9 })).not.toContain('canary-');
  });
});

describe('on an encrypted connection', () => {
  test.each(['starttls', 'implicit'])(
    '%s: user and password go only to a server that is trusted',
    async (tls) => {
      const authority = createAuthority();
      const { certificatePem: cert, privateKeyPem: key } = authority.issue(['127.0.0.1']);
      const password = canary();
      const server = await startServer({ cert, key, secure: tls === 'implicit', authOptional: false });
      const settings = { ...plain, ...server.address, tls, username: 'agent', password };
      const notifier = await create({ ...settings, trust: authority.certificatePem });
      await notifier.send([notice({})], 'ops@example.com', never);
      expect(server.mails).toHaveLength(1);
      expect(server.logins).toEqual([`agent:${password}`]);
      const wary = await create(settings);
      await expect(wary.send([notice({})], 'ops@example.com', never)).rejects.toMatchObject({
        code: 'notify.failed',
      });
      expect(server.logins).toHaveLength(1);
    },
  );

  test('a server without STARTTLS gets nothing', async () => {
    const server = await startServer({ disabledCommands: ['STARTTLS'] });
    const notifier = await create({ ...plain, ...server.address, tls: 'starttls' });
    await expect(notifier.send([notice({})], 'ops@example.com', never)).rejects.toMatchObject({
      code: 'notify.failed',
    });
    expect(server.mails).toHaveLength(0);
  });
});

describe('a check', () => {
  test('logs in and sends nothing', async () => {
    const server = await startServer({ authOptional: false, allowInsecureAuth: true });
    const password = canary();
    const notifier = await create({ ...plain, ...server.address, username: 'agent', password });
    await notifier.check?.(never);
    expect(server.logins).toEqual([`agent:${password}`]);
    expect(server.mails).toHaveLength(0);
  });

  test('says that the login is refused, without the password', async () => {
    const server = await startServer({
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(new Error('Invalid credentials')),
    });
    const login = { username: 'agent', password: canary() };
    const notifier = await create({ ...plain, ...server.address, ...login });
    const error = await notifier.check?.(never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'notify.rejected',
      message: expect.stringMatching(/^the mail server 127.0.0.1:\d+ refuses the agent: 535 .*Invalid/),
    });
    expect(inspect(error, { depth: 9 })).not.toContain('canary-');
  });

  test('says that nobody listens there', async () => {
    const server = await startServer();
    await closing.pop()?.();
    const notifier = await create({ ...plain, ...server.address });
    await expect(notifier.check?.(never)).rejects.toMatchObject({
      code: 'notify.failed',
      message: expect.stringMatching(/^the mail server 127.0.0.1:\d+ cannot be used: .*ECONNREFUSED/),
    });
  });
});

test('an abort ends the waiting for a silent server', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  closing.push(() => silent.close());
  const notifier = await create({
    ...plain,
    host: '127.0.0.1',
    port: (silent.address() as AddressInfo).port,
  });
  const controller = new AbortController();
  const sending = notifier.send([notice({})], 'ops@example.com', controller.signal);
  setTimeout(() => controller.abort(new Error('enough')), 50);
  await expect(sending).rejects.toThrow('enough');
});

test('options that contradict each other are refused', () => {
  expect(email.options.safeParse({ ...plain, host: 'mx', username: 'x' }).success).toBe(false);
  expect(email.options.safeParse({ ...plain, host: 'mx', from: 'nobody' }).success).toBe(false);
  expect(email.options.safeParse({ ...plain, host: 'mx', extra: 1 }).success).toBe(false);
});

async function create(options: object): Promise<Notifier> {
  return email.create(email.options.parse(options), contextAtNow());
}

/** Takes what it is given; every login is right. */
async function startServer(given: SMTPServerOptions = {}) {
  const mails: { from: string; to: string[]; content: string }[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) => {
      logins.push(`${username}:${password}`);
      done(null, { user: username ?? '' });
    },
    onData: (stream, { envelope }, done) => {
      let content = '';
      stream.on('data', (chunk: Buffer) => {
        content += chunk.toString();
      });
      stream.on('end', () => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), content });
        done();
      });
    },
    ...given,
  });
  // A client that refuses our certificate breaks off: no fault of the server.
  server.on('error', () => {});
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { mails, logins, address: { host: '127.0.0.1', port: (listening.address() as AddressInfo).port } };
}
