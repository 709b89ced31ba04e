import { describe, expect, it } from 'vitest';
import type { Finding, PreflightQuestion } from '../../../src/core/ports.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, hour, minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const host = 'www.example.com';

function finding(level: Finding['level'], code: Finding['code'], name = host): Finding {
  return { name, level, code, message: `${name}: ${level} of ${code}.` };
}

/** What a look at the first CA finds; the second has nothing to say. */
function atFirst(...findings: readonly Finding[]): void {
  world.preflight.findings = ({ issuer }) => (issuer === 'first' ? findings : []);
}

function everywhere(...findings: readonly Finding[]): void {
  world.preflight.findings = () => findings;
}

const stateOf = (lineage = www) => world.store.renewals.get(lineage);
const issuerOf = async () => (await world.store.certificates.certificate(www))?.issuer;
const callsOf = (call: string) => world.gate.calls.filter((one) => one === call).length;

describe('a look before an order', () => {
  it('asks what the order asks, with the identities of the CA and our account there', async () => {
    await world.want();
    await world.renew();
    expect(world.preflight.asked).toEqual<readonly PreflightQuestion[]>([
      {
        issuer: 'first',
        ca: { identities: ['first.test'], account: 'https://first.test/account/1' },
        names: [host],
        challenge: 'http-01',
      },
    ]);
  });

  it('comes once an order, and not when an order is taken up again', async () => {
    await world.want();
    world.gate.once('first.finalize', failing(new Error('the process is in trouble')));
    await world.live(5 * minute);
    expect(await issuerOf()).toBe('first');
    expect(world.first.orders).toHaveLength(1);
    expect(world.preflight.asked).toHaveLength(1);
  });

  it('that fails stops nothing', async () => {
    await world.want();
    world.gate.always('preflight.look', failing(new Error('no network')));
    await world.renew();
    expect(await issuerOf()).toBe('first');
  });

  it('writes nothing as long as all is fine', async () => {
    await world.want();
    everywhere(finding('fine', 'challenge.connection'));
    const before = callsOf('changes.commit');
    await world.renew();
    const withLook = callsOf('changes.commit') - before;
    world.settings.preflight = 'off';
    await world.ask(true);
    await world.renew();
    expect(callsOf('changes.commit') - before - withLook).toBe(withLook);
  });
});

describe('CAA records that exclude a CA', () => {
  it('stop the order before anything is spent there; the next issuer is asked at once', async () => {
    await world.want();
    atFirst(finding('stop', 'challenge.caa'));
    await world.renew();
    expect(await issuerOf()).toBe('second');
    expect(world.first.orders).toEqual([]);
    expect(callsOf('budget.admit')).toBe(1);
  });

  it('are a failure as the verdict of the CA would be, tried once a day', async () => {
    await world.want({ issuers: ['first'] });
    everywhere(finding('stop', 'challenge.caa'));
    await world.renew();
    const { lastFailure, retryAt = 0, failures } = await stateOf();
    expect(failures).toBe(1);
    expect(lastFailure).toMatchObject({
      code: 'challenge.caa',
      issuer: 'first',
      message: `not ordered. ${host}: stop of challenge.caa.`,
      names: { [host]: `${host}: stop of challenge.caa.` },
    });
    expect(retryAt - world.clock.now()).toBeGreaterThan(20 * hour);
    everywhere();
    await world.live(2 * day);
    expect(await issuerOf()).toBe('first');
  });

  it('of one name send the order to the next issuer, though another name answers wrongly at this one', async () => {
    const names = [host, 'other.example.com'];
    await world.want({ mode: 'custom' }, []);
    const putGroups = [{ domain: 'example.com', label: 'shop', names, origin: { kind: 'runtime' as const } }];
    await world.run(changeWishes('example.com', () => ({ putGroups }), world.needs));
    atFirst(finding('stop', 'challenge.unauthorized'), finding('stop', 'challenge.caa', 'other.example.com'));
    await world.live(minute);
    expect((await world.store.certificates.certificate('example.com/shop/ec'))?.issuer).toBe('second');
  });

  it('of one name among several leave it out where the domain may do without it', async () => {
    await world.want({ mode: 'custom', issuers: ['first'], partial: true }, []);
    const names = [host, 'other.example.com'];
    const putGroups = [{ domain: 'example.com', label: 'shop', names, origin: { kind: 'runtime' as const } }];
    const domain = await world.store.wishes.domain('example.com');
    if (domain === undefined) throw new Error('the domain is not there');
    await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
    world.preflight.findings = (question) =>
      question.names.includes('other.example.com')
        ? [finding('stop', 'challenge.caa', 'other.example.com')]
        : [];
    await world.live(minute);
    expect((await world.store.certificates.certificate('example.com/shop/ec'))?.names).toEqual([host]);
    expect(world.first.orders).toHaveLength(1);
  });
});

describe('a host that answers with something else', () => {
  it('stops orders at every CA, on the ladder, and burns no failed validation', async () => {
    await world.want();
    everywhere(finding('stop', 'challenge.unauthorized'));
    await world.live(2 * hour);
    expect((await stateOf()).failures).toBe(4);
    expect([...world.first.orders, ...world.second.orders]).toEqual([]);
    expect([callsOf('budget.validationFailed'), callsOf('budget.admit')]).toEqual([0, 0]);
  });

  it('stops no order in the last third of the renewal period', async () => {
    await world.want();
    await world.renew();
    everywhere(finding('stop', 'challenge.unauthorized'));
    await world.live(79 * day);
    expect(world.first.orders).toHaveLength(1);
    await world.live(4 * day);
    expect(world.first.orders.length).toBeGreaterThan(1);
    expect((await stateOf()).lastFailure).toBeUndefined();
  });
});

describe('what may go wrong', () => {
  const slow = finding('warning', 'challenge.connection');

  it('stops nothing, is remembered while the order goes on, and forgotten when it succeeds', async () => {
    await world.want();
    everywhere(slow);
    world.first.ways.verdict = () => ({ type: 'connection', detail: 'timeout' });
    await world.renew();
    const { warnings, lastFailure } = await stateOf();
    expect(warnings).toMatchObject([{ issuer: 'first', name: host, message: slow.message }]);
    expect(lastFailure).toMatchObject({ code: 'challenge.connection' });
    world.first.ways.verdict = () => undefined;
    await world.live(5 * minute);
    expect(await issuerOf()).toBe('first');
    expect((await stateOf()).warnings).toBeUndefined();
  });

  it('is written once as long as it stays the same, and goes when it is mended', async () => {
    await world.want();
    everywhere(slow);
    world.first.ways.verdict = () => ({ type: 'connection', detail: 'timeout' });
    await world.renew();
    const first = (await stateOf()).warnings;
    await world.live(2 * minute);
    expect(world.first.orders).toHaveLength(2);
    expect((await stateOf()).warnings).toEqual(first);
    everywhere();
    await world.live(11 * minute);
    expect((await stateOf()).warnings).toBeUndefined();
  });
});

describe('preflight in the file', () => {
  it('warn: what would stop an order is a warning', async () => {
    await world.want();
    world.settings.preflight = 'warn';
    everywhere(finding('stop', 'challenge.caa'));
    world.first.ways.verdict = () => ({ type: 'connection', detail: 'timeout' });
    await world.renew();
    expect(world.first.orders).toHaveLength(1);
    expect((await stateOf()).warnings).toMatchObject([{ message: `${host}: stop of challenge.caa.` }]);
  });

  it('off: nobody looks', async () => {
    await world.want();
    world.settings.preflight = 'off';
    everywhere(finding('stop', 'challenge.caa'));
    await world.renew();
    expect(await issuerOf()).toBe('first');
    expect(world.preflight.asked).toEqual([]);
  });
});
