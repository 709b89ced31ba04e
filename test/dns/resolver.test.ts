import { CHECKING_DISABLED, decode, encode } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { errorTable } from '../../src/core/errors.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import { freePort } from '../support/ports.ts';
import { createStage, errorOf, never, startServer } from './stage.ts';

const rcodes = { NOERROR: 0, SERVFAIL: 2, NOTIMP: 4, REFUSED: 5 };
type Rcode = keyof typeof rcodes;

/** A resolver that answers all questions so; `unchecked`: where signatures do not count. */
function answering(checked: Rcode, unchecked = checked): Promise<string> {
  return startServer((id, question, message) => {
    const rcode = rcodes[(decode(message).flags ?? 0) & CHECKING_DISABLED ? unchecked : checked];
    return encode({ type: 'response', id, flags: rcode, questions: [question] });
  });
}

async function ask(...servers: readonly string[]) {
  const resolver = createResolver({ servers }, { clock: systemClock });
  return (await errorOf(resolver.ask({ name: 'www.example.test', type: 'A' }, never))) as {
    readonly code: string;
    readonly message: string;
    readonly advice: string;
  };
}

describe('a resolver that does not know is told with the remedy for what it said', () => {
  test.each([
    ['REFUSED', 'REFUSED', 'refuses to answer (REFUSED)', /allow it there .*or name another one/],
    ['SERVFAIL', 'SERVFAIL', 'cannot find it out (SERVFAIL)', /nameservers of that zone: mend them/],
    ['SERVFAIL', 'NOERROR', 'finds wrong DNSSEC signatures (SERVFAIL)', /^Sign the zone anew, or remove/],
    ['NOTIMP', 'NOTIMP', 'answers NOTIMP', /^What answers there is no resolver/],
  ] as const)('%s, and %s where signatures do not count', async (checked, unchecked, words, remedy) => {
    const server = await answering(checked, unchecked);
    const { code, message, advice } = await ask(server);
    expect(code).toBe('dns.query');
    expect(message).toBe(`nobody can say what www.example.test A is: DNS server ${server} ${words}`);
    expect(advice).toMatch(remedy);
  });

  test('nothing at all', async () => {
    const server = `127.0.0.1:${await freePort()}`;
    const { message, advice } = await ask(server);
    expect(message).toBe(
      `nobody can say what www.example.test A is: DNS server ${server} does not answer (ECONNREFUSED)`,
    );
    expect(advice).toBe(errorTable['dns.query'].advice);
  });

  test('each of several is named once, and the remedy is that of the surest', async () => {
    const [refusing, failing] = [await answering('REFUSED'), await answering('SERVFAIL')];
    const silent = `127.0.0.1:${await freePort()}`;
    const { message, advice } = await ask(refusing, silent, failing);
    expect(message.split('; ')).toHaveLength(3);
    for (const server of [refusing, silent, failing]) expect(message.split(server)).toHaveLength(2);
    expect(advice).toMatch(/^The resolver gets no sound answer/);
  });
});

test('nobody waits for many resolvers that are silent', async () => {
  let sleeping = 0;
  const clock = { ...systemClock, now: () => Date.now() + sleeping };
  const silent = await startServer(() => {
    sleeping += 2500;
    return new Uint8Array();
  });
  const resolver = createResolver({ servers: [silent, silent, silent, silent] }, { clock: hurried(clock) });
  expect(await errorOf(resolver.ask({ name: 'www.example.test', type: 'A' }, never))).toMatchObject({
    code: 'dns.query',
  });
  expect(sleeping).toBeLessThan(15_000);
});

test('doctor says what a resolver answers, and what to do', async () => {
  const { agent } = await createStage();
  const { findings } = await agent().care.examine({ name: 'www.elsewhere.test' }, never);
  expect(findings).toMatchObject([
    {
      about: 'CNAME',
      level: 'amiss',
      message: expect.stringMatching(
        /refuses to answer \(REFUSED\)\. That resolver does not serve this machine/,
      ),
    },
  ]);
});

/** Its deadlines are a tenth as long. */
function hurried(clock: typeof systemClock): typeof systemClock {
  return { ...clock, after: (ms, run) => clock.after(ms / 10, run) };
}
