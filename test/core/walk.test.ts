import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Change } from '../../src/core/ports.ts';
import { sha256 } from '../../src/x509/certificate.ts';
import { eachWorld } from './each-world.ts';
import { failing, losingAnswer } from './gate.ts';
import { day, minute, t0 } from './given.ts';
import { problemError } from './scripted-ca.ts';
import { type World, www } from './world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const network = new AgentError('acme.network', 'the connection broke');

function commitsOf({ gate }: World): readonly Change[] {
  const commits: Change[] = [];
  gate.always('changes.commit', async (proceed, args) => {
    commits.push(args[0] as Change);
    return proceed();
  });
  return commits;
}

async function held(lineage = www) {
  return world.store.certificates.certificate(lineage);
}

async function nothingIsLeft(): Promise<void> {
  expect(await world.store.issuances.all()).toEqual([]);
  expect(await world.tokensLeft()).toBe(0);
}

describe('a first issuance', () => {
  it('writes generation, state, due entries and event in one durable commit, and forgets the order last', async () => {
    await world.want();
    const commits = commitsOf(world);
    expect(await world.renew()).toBeUndefined();
    const certificate = await held();
    expect(certificate).toMatchObject({ generation: 1, issuer: 'first', names: ['www.example.com'] });
    const storing = commits.filter(({ generation }) => generation !== undefined);
    expect(storing).toHaveLength(1);
    const [stored] = storing;
    expect(stored?.durable).toBe(true);
    expect(stored?.fence?.lock).toBe(`issue:${www}`);
    expect(stored?.putRenewals?.[0]).toMatchObject({ failures: 0, reminders: { count: 0 } });
    expect(stored?.due).toEqual([
      { job: 'issue', id: www, at: expect.closeTo(t0, -4) },
      { job: 'remind', id: www, at: undefined },
      { job: 'deploy', id: `web|${www}`, at: expect.closeTo(t0, -4) },
    ]);
    expect(stored?.events?.map(({ type }) => type)).toEqual(['certificate.issued']);
    expect(commits.at(-1)).toMatchObject({ dropIssuance: www });
    expect(commits.at(-1)?.due?.[0]).toEqual({
      job: 'issue',
      id: www,
      // The CA's advice is asked for before that.
      at: stored?.putRenewals?.[0]?.ariCheckAt,
    });
    expect(world.woken).toContainEqual({ job: 'deploy', id: `web|${www}` });
    await nothingIsLeft();
  });

  it('keeps key and order address safe before the CA hears of a finalize', async () => {
    await world.want();
    const commits = commitsOf(world);
    let before: readonly Change[] = [];
    world.gate.once('first.finalize', async (proceed) => {
      before = [...commits];
      return proceed();
    });
    await world.renew();
    const safe = before.findLast(({ durable }) => durable === true);
    expect(safe?.putIssuance).toMatchObject({ lineage: www, orderUrl: world.first.orders[0]?.url });
  });

  it('holds the key that the certificate is for', async () => {
    await world.want();
    await world.renew();
    const bundle = await world.store.certificates.bundle(www);
    if (bundle === undefined) throw new Error('nothing is held');
    expect(world.needs.pki.keyType(bundle.privateKey)).toBe('p256');
    expect(sha256(bundle.leafDer)).toBe(bundle.certificate.fingerprint);
  });

  it('presents every name of an order before it responds to the first', async () => {
    await world.want({ challenge: 'dns-01', dnsAccount: 'zone', mode: 'wildcard' }, []);
    const wildcard = 'example.com/*.example.com/ec';
    await world.renew(wildcard);
    expect(await held(wildcard)).toMatchObject({ names: ['example.com', '*.example.com'] });
    const calls = world.gate.calls;
    expect(calls.indexOf('first.respond')).toBeGreaterThan(calls.indexOf('dns-01.present'));
    expect(calls.filter((call) => call === 'dns-01.present')).toHaveLength(1);
    expect(world.zone.records.size).toBe(0);
  });

  it('does not ask the CA for anything while nothing is due', async () => {
    await world.want();
    await world.renew();
    const calls = world.gate.calls.length;
    expect(await world.renew()).toBeUndefined();
    expect(world.gate.calls.slice(calls).filter((call) => /^(first|second|acme)\./.test(call))).toEqual([]);
  });
});

describe('a lost answer', () => {
  it('to finalize does not finalize twice', async () => {
    await world.want();
    world.gate.once('first.finalize', losingAnswer(network));
    await world.renew();
    expect(await held()).toBeDefined();
    expect(world.first.orders).toHaveLength(1);
    expect(world.gate.calls.filter((call) => call === 'first.finalize')).toHaveLength(1);
  });

  it('to newOrder costs one pending order and no certificate', async () => {
    await world.want();
    world.gate.once('first.newOrder', losingAnswer(network));
    await world.live(2 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.orders).toHaveLength(2);
    expect(world.first.finalized()).toHaveLength(1);
    await nothingIsLeft();
  });

  it('to the download is asked for again on the same order', async () => {
    await world.want();
    world.gate.once('first.certificate', failing(network));
    await world.renew();
    expect(await held()).toBeUndefined();
    await world.live(2 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.orders).toHaveLength(1);
    await nothingIsLeft();
  });
});

describe('a CA that takes its time', () => {
  it('for the verdict gets an instant back, and the worker is free', async () => {
    await world.want();
    world.first.ways.validationMs = 3 * minute;
    const again = await world.renew();
    const now = world.clock.now();
    expect(again?.again).toBeGreaterThan(now);
    expect(again?.again).toBeLessThanOrEqual(now + 5 * minute);
    expect(now - t0).toBeLessThanOrEqual(11_000);
    await world.live(10 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.orders).toHaveLength(1);
    await nothingIsLeft();
  });

  it('for ever is given up after an hour, with everything cleaned up', async () => {
    await world.want();
    world.first.ways.validationMs = 30 * day;
    await world.renew();
    await world.live(70 * minute);
    const state = await world.store.renewals.get(www);
    expect(state.lastFailure).toMatchObject({ code: 'challenge.timeout' });
    expect(world.first.orders.length).toBeLessThanOrEqual(2);
    expect(world.first.finalized()).toEqual([]);
  });

  it('for the certificate is polled, then left alone as it asks', async () => {
    await world.want();
    world.first.ways.processingMs = 2 * minute;
    world.first.ways.retryAfterMs = 30_000;
    const again = await world.renew();
    expect(again?.again).toBe(world.clock.now() + 30_000);
    await world.live(5 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.finalized()).toHaveLength(1);
  });

  it('is not answered before the zone shows the record', async () => {
    await world.want({ challenge: 'dns-01', dnsAccount: 'zone' });
    world.zone.slowMs = 2 * minute;
    const again = await world.renew();
    expect(again).toMatchObject({ again: t0 + 2 * minute });
    expect(world.gate.calls).not.toContain('first.respond');
    await world.live(3 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.gate.calls.filter((call) => call === 'dns-01.present')).toHaveLength(1);
    expect(world.zone.records.size).toBe(0);
  });
});

describe('a refused order', () => {
  it('names the host that failed, in the words of the CA', async () => {
    await world.want({ challenge: 'dns-01', dnsAccount: 'zone', mode: 'wildcard' }, []);
    world.first.ways.verdict = (name) =>
      name === 'example.com' ? { type: 'dns', detail: 'SERVFAIL looking up TXT' } : undefined;
    const wildcard = 'example.com/*.example.com/ec';
    await world.renew(wildcard);
    const { lastFailure } = await world.store.renewals.get(wildcard);
    expect(lastFailure).toMatchObject({
      code: 'challenge.dns',
      message: 'example.com: SERVFAIL looking up TXT',
      issuer: 'first',
      names: { 'example.com': 'SERVFAIL looking up TXT' },
    });
    expect(await world.store.issuances.all()).toEqual([]);
    expect(world.zone.records.size).toBe(0);
  });

  it('that became invalid while nobody looked is explained, cleaned up and ordered anew on the ladder', async () => {
    await world.want();
    world.first.ways.validationMs = 2 * minute;
    world.first.ways.verdict = () => ({ type: 'connection', detail: 'timeout' });
    await world.renew();
    await world.live(15 * minute);
    const state = await world.store.renewals.get(www);
    expect(state.lastFailure).toMatchObject({ code: 'challenge.connection' });
    expect(state.lastFailure?.message).toContain('www.example.com: timeout');
    expect(world.first.orders.length).toBeGreaterThan(1);
  });

  it('for an order that the CA forgot is followed by a new one', async () => {
    await world.want();
    world.first.ways.validationMs = 2 * minute;
    await world.renew();
    world.gate.once(
      'first.order',
      failing(problemError({ type: 'malformed', detail: 'no such order' }, 404)),
    );
    await world.live(15 * minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.orders).toHaveLength(2);
    await nothingIsLeft();
  });

  it('cleans up within its own deadline, though the solver never comes back', async () => {
    await world.want();
    world.first.ways.verdict = () => ({ type: 'connection', detail: 'timeout' });
    world.gate.once('http-01.cleanUp', (_, [, signal]) =>
      world.gate.aside(untilAborted(signal as AbortSignal)),
    );
    const beganAt = world.clock.now();
    await world.renew();
    expect(world.clock.now() - beganAt).toBeGreaterThanOrEqual(10_000);
    expect(world.clock.now() - beganAt).toBeLessThan(25_000);
    expect(await world.store.issuances.all()).toEqual([]);
    expect(world.log.filter((line) => line.includes('clean-up after validation failed'))).toHaveLength(1);
  });
});

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
