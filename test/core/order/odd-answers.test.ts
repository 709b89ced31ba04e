import { describe, expect, it } from 'vitest';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import type { Passing } from '../../support/proxy.ts';
import { createCaSigner } from '../ca-signer.ts';
import { eachWiredWorld } from '../each-world.ts';
import { always, attempts, date, expectPeace, problem, until } from '../fault-kit.ts';
import { aDomain, day, hour, minute, t0 } from '../given.ts';
import type { WiredWorld } from '../wired-world.ts';
import { www } from '../world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

const issuer = () => world.store.certificates.certificate(www).then((one) => one?.issuer);
const codes = async () => (await world.events('certificate.failed')).map(({ facts }) => facts.code);

describe('a Retry-After', () => {
  const retryAfter =
    (value: string) =>
    ({ headers }: Passing) => ({ headers: { ...headers, 'retry-after': value } });

  /** Each order takes its time, and its answers are changed on their way. */
  async function wantSlowly(change: (passing: Passing) => object): Promise<void> {
    world.first.ways.validationMs = 8000;
    world.first.ways.processingMs = 8000;
    for (const kind of ['order', 'finalize'] as const) world.wire.first.rewrite(kind, change, always);
    await world.want({ issuers: ['first'] });
  }

  it.each(['0', 'Thu, 01 Jan 1970 00:00:00 GMT', 'soon', '-5'])(
    'of %s at an open order does not make us hurry',
    async (value) => {
      await wantSlowly(retryAfter(value));
      await world.live(10 * minute);
      await expectPeace(world);
      expect(world.wire.first.counts().order).toBeLessThanOrEqual(32);
      expect(world.first.orders).toHaveLength(1);
    },
  );

  it.each(['99999999999', date(t0 + 300 * day)])(
    'of %s at an open order delays it by an hour at most',
    async (value) => {
      await wantSlowly(retryAfter(value));
      await world.live(3 * hour);
      await expectPeace(world);
      expect(world.first.orders).toHaveLength(1);
    },
  );

  it.each(['99999999999', date(t0 + 300 * day)])(
    'of %s with a 503 keeps an issuer from everybody for an hour, not longer',
    async (value) => {
      world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits: {} });
      const headers = { 'retry-after': value, date: date(t0) };
      const fault = world.wire.first.status('newOrder', { code: 503, headers, body: 'busy' });
      await world.want({ issuers: ['first'] });
      await world.live(minute);
      await world.want({ issuers: ['first'] }, ['www.example.com', 'b.example.com']);
      await world.live(50 * minute);
      expect([fault.met, world.first.orders.length]).toEqual([1, 0]);
      await world.live(20 * minute);
      expect(world.first.finalized()).toHaveLength(2);
    },
  );

  it.each(['99999999999', date(t0 + 300 * day)])(
    'to a new order, with 429 and %s, is seven days',
    async (value) => {
      world.wire.first.status('newOrder', {
        code: 429,
        headers: { 'retry-after': value, date: date(t0) },
        body: problem('rateLimited'),
        nonce: true,
      });
      await world.want({ issuers: ['first'] });
      await world.live(8 * day);
      await expectPeace(world);
      expect(attempts(world.wire.first.calls, t0)).toEqual([0, 7 * 24 * 60]);
      // A day after the first failure, and each day from then on, people hear of it; and when it is mended.
      expect(await world.events('certificate.reminder')).toHaveLength(6);
      expect(await world.events('certificate.recovered')).toHaveLength(1);
    },
  );
});

describe('an order', () => {
  it('that is shown as pending though an authorization failed is over all the same', async () => {
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    const stillPending = ({ text, status }: Passing) =>
      status === 200 && text.includes('"invalid"') ? { text: text.replace('"invalid"', '"pending"') } : {};
    world.wire.first.rewrite('order', stillPending, always);
    await world.want({ issuers: ['first'] });
    await world.live(2 * minute);
    const [first] = await world.events('certificate.failed');
    expect(first?.facts.code).toBe('challenge.unauthorized');
    expect((first?.at ?? 0) - t0).toBeLessThan(2 * minute);
    expect(world.wire.first.counts().order).toBeLessThanOrEqual(15);
    expect(await world.tokensLeft()).toBe(0);
  });

  it('that fails after finalize says of which name, and does without it where it may', async () => {
    const error = {
      type: 'urn:ietf:params:acme:error:caa',
      detail: 'Rechecking CAA for 1 identifier',
      subproblems: [
        {
          type: 'urn:ietf:params:acme:error:caa',
          detail: 'CAA of a forbids it',
          identifier: { type: 'dns', value: 'a.example.com' },
        },
      ],
    };
    world.first.ways.processingMs = 2000;
    let met = 0;
    world.wire.first.rewrite(
      'order',
      ({ text }) => {
        const order = JSON.parse(text);
        const isOver = (order.status === 'processing' || order.status === 'valid') && ++met <= 1;
        return isOver ? { text: JSON.stringify({ ...order, status: 'invalid', error }) } : {};
      },
      always,
    );
    const group = { domain: 'example.com', label: 'shop', origin: { kind: 'runtime' as const } };
    const putGroups = [{ ...group, names: ['a.example.com', 'c.example.com'] }];
    const domain = aDomain({ mode: 'custom', deploy: ['web'], issuers: ['first'], partial: true });
    await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
    await world.live(minute);
    const { leftOut } = await world.store.renewals.get('example.com/shop/ec');
    expect(leftOut).toMatchObject({
      'a.example.com': { failure: { code: 'challenge.caa', message: 'CAA of a forbids it' } },
    });
    const [failed] = await world.events('certificate.failed');
    expect(failed?.facts.message).toContain('a.example.com: CAA of a forbids it');
    const held = await world.store.certificates.certificate('example.com/shop/ec');
    expect(held?.names).toEqual(['c.example.com']);
  });
});

describe('a CA that fails for days', () => {
  it('is asked on its ladder, people are reminded daily, and what was served stays until it is mended', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const held = world.web.shows(www)?.certificate;
    const { renewAt = 0 } = await world.store.renewals.get(www);
    const mendedAt = renewAt + 2.5 * day;
    const fault = world.wire.first.status(
      (call) => call.kind !== 'renewalInfo' && call.at >= renewAt && call.at < mendedAt,
      () => ({ code: 500, body: problem('serverInternal'), nonce: true }),
    );
    await world.live(mendedAt - world.clock.now());
    expect(world.web.shows(www)?.certificate.fingerprint).toBe(held?.fingerprint);
    const failed = await world.events('certificate.failed');
    const pauses = failed
      .slice(1)
      .map(({ at }, index) => Math.round((at - (failed[index]?.at ?? 0)) / minute));
    expect(pauses.slice(0, 3)).toEqual([1, 10, 100]);
    // From here on it is the one that probes.
    expect(pauses.slice(4)).toEqual(pauses.slice(4).map(() => 60));
    expect(pauses.length).toBeLessThanOrEqual(2.5 * 24 + 4);
    // Four repetitions of a call, and all that once more without the name of the predecessor.
    expect(fault.met).toBeLessThanOrEqual(11 * failed.length);
    const reminders = await world.events('certificate.reminder');
    expect(reminders.map(({ at }) => Math.round((at - (failed[0]?.at ?? 0)) / hour))).toEqual([24, 48]);
    await world.live(2 * day);
    await expectPeace(world);
    expect(await world.events('certificate.recovered')).toHaveLength(1);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('and rejects every nonce gives way to the next one after three attempts', async () => {
    world.wire.first.status(until(t0 + day, 'newOrder'), () => ({
      code: 400,
      body: problem('badNonce'),
      nonce: true,
    }));
    await world.want();
    await world.live(hour);
    expect(await issuer()).toBe('second');
    expect(attempts(world.wire.first.calls, t0)).toEqual([0, 1, 11]);
  });
});

describe('a certificate that is none', () => {
  const stranger = createCaSigner('stranger', { notBefore: t0 - day, notAfter: t0 + 90 * day });

  it.each<[string, (pem: string) => string]>([
    ['cut off', (pem) => pem.slice(0, 500)],
    ['empty', () => ''],
    ['a page', () => '<html>busy</html>'],
    ['garbled', (pem) => pem.replace(/^(.{200})...../s, '$1AAAAA')],
    ['without its leaf', (pem) => pem.slice(pem.indexOf('-----BEGIN', 10))],
  ])('%s is fetched again, and not ordered again', async (_, change) => {
    world.wire.first.rewrite('cert', ({ text }) => ({ text: change(text) }), 2);
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await expectPeace(world);
    expect(await codes()).toEqual(['order.certificate', 'order.certificate']);
    expect([world.first.orders.length, world.first.finalized().length]).toEqual([1, 1]);
    expect(world.wire.first.counts()).toMatchObject({ newOrder: 1, finalize: 1, cert: 3 });
  });

  it('for days is ordered anew, every other day', async () => {
    world.wire.first.rewrite('cert', () => ({ text: 'nothing of use' }), always);
    await world.want({ issuers: ['first'] });
    await world.live(4 * day);
    const [, ...days] = attempts(world.wire.first.calls, t0);
    expect(days).toEqual([111 + 24 * 60, 111 + 3 * 24 * 60]);
    expect(world.first.finalized()).toHaveLength(3);
  });

  it('of somebody else is refused', async () => {
    let other = '';
    world.gate.once('first.finalize', async (proceed, [, csrDer]) => {
      other = stranger.issue(csrDer as Uint8Array, { notBefore: t0 - hour, notAfter: t0 + 30 * day });
      return proceed();
    });
    // The chain is that of another CA, and its first certificate is not ours.
    world.wire.first.rewrite('cert', () => ({ text: other.slice(other.indexOf('-----BEGIN', 10)) }));
    await world.want({ issuers: ['first'] });
    await world.live(10 * minute);
    await expectPeace(world);
    expect(await codes()).toEqual(['order.certificate']);
  });
});

describe('challenges of types that we do not know', () => {
  const unknown: readonly unknown[] = [
    { type: 'quantum-01', url: 'https://ca.test/q', status: 'pending', token: 'q' },
    { type: 'dns-01', status: 'pending' },
    { type: 'http-01', url: 'https://ca.test/h', status: 'odd', token: 'h' },
    null,
    'text',
  ];

  it('are ignored beside one that we know', async () => {
    world.fronts.first.moreChallenges.push(...unknown);
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await expectPeace(world);
  });

  it('alone lead to the next issuer at once, and are no reason to ask the first again soon', async () => {
    world.fronts.first.moreChallenges.push(...unknown);
    world.first.ways.challengeTypes = [];
    await world.want();
    await world.live(minute);
    expect(await issuer()).toBe('second');
    expect(await codes()).toEqual(['order.noChallenge']);
  });

  it('alone are tried once a day where there is no other issuer, and people are told at once', async () => {
    world.first.ways.challengeTypes = [];
    await world.want({ issuers: ['first'] });
    await world.live(2 * day + hour);
    expect(attempts(world.wire.first.calls, t0)).toEqual([0, 24 * 60, 2 * 24 * 60]);
    const [failed] = await world.events('certificate.failed');
    expect(failed?.facts).toMatchObject({ tell: true, message: expect.stringContaining('http-01') });
    expect(await world.tokensLeft()).toBe(0);
  });
});
