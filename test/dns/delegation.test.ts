import { type Answer, encode } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { checkDelegation, checkServers } from '../../src/dns/delegation.ts';
import { createResolver, parseServer } from '../../src/dns/resolver.ts';
import { never, startServer } from './stage.ts';

const zone = 'example.test';
const authoritative = 1 << 10;
const refused = 5;
const resolver = createResolver({ servers: ['127.0.0.1:9'] }, { clock: systemClock });
const needs = { resolver, clock: systemClock };

function soa(serial: number): Answer {
  const times = { refresh: 1, retry: 1, expire: 1, minimum: 1 };
  return { type: 'SOA', name: zone, ttl: 60, data: { mname: 'ns', rname: 'admin', serial, ...times } };
}

function ns(owner: string, ...servers: readonly string[]): Answer[] {
  return servers.map((data) => ({ type: 'NS', name: owner, ttl: 60, data }));
}

function nameserver(serial: number): Promise<string> {
  return startServer((id, question) =>
    encode({ type: 'response', id, flags: authoritative, questions: [question], answers: [soa(serial)] }),
  );
}

const at = (server: string, ...addresses: readonly string[]) => ({
  server,
  addresses: addresses.map(parseServer),
});

describe('nameservers of a zone', () => {
  test('that answer with authority and have the same serial are fine', async () => {
    const [one, two] = await Promise.all([nameserver(7), nameserver(7)]);
    const { findings: found } = await checkServers(
      zone,
      [at('ns1.test', one), at('ns2.test', two)],
      needs,
      never,
    );
    expect(found).toEqual([
      { about: 'nameserver ns1.test', level: 'fine', message: `answers at ${one}` },
      { about: 'nameserver ns2.test', level: 'fine', message: `answers at ${two}` },
    ]);
  });

  test('that are dead, lame, behind or without an address are each amiss', async () => {
    const [well, behind] = await Promise.all([nameserver(1), nameserver(4_294_967_295)]);
    const lame = await startServer((id, question) =>
      encode({ type: 'response', id, flags: refused, questions: [question] }),
    );
    const servers = [
      at('well.test', well),
      at('dead.test', '127.0.0.1:9'),
      at('lame.test', lame),
      at('behind.test', behind),
      at('nowhere.test'),
    ];
    const { findings: found, answering } = await checkServers(zone, servers, needs, never);
    expect(found.map(({ level }) => level)).toEqual(['fine', 'amiss', 'amiss', 'amiss', 'amiss']);
    const words = found.map(({ message }) => message);
    expect(words[1]).toContain('no answer from 127.0.0.1:9. Mend it, or remove it from the NS records');
    expect(words[2]).toContain(`${lame} answers REFUSED without authority (lame)`);
    // Serial numbers go round: 1 is newer (RFC 1982).
    expect(words[3]).toContain(`${behind} is behind: serial 4294967295, not 1`);
    expect(words[4]).toContain('Its name has no address');
    expect(answering).toEqual(['well.test', 'behind.test']);
  });
});

describe('the delegation', () => {
  /** Of a parent that leads to these servers. */
  async function judged(above: readonly string[], own: readonly string[]) {
    const address = await startServer((id, question) => {
      const reply = { type: 'response' as const, id, questions: [question] };
      if (question.type === 'NS' && question.name === 'test')
        return encode({ ...reply, flags: authoritative, answers: ns('test', 'ns.test') });
      if (question.type === 'NS' && question.name === zone)
        return encode({ ...reply, authorities: ns(zone, ...above) });
      return encode(reply);
    });
    const { ask, ...rest } = createResolver({ servers: [address] }, { clock: systemClock });
    const parent = { ...rest, ask, addresses: async () => [address] };
    const servers = own.map((server) => at(server));
    return checkDelegation(zone, servers, { resolver: parent, clock: systemClock }, never);
  }

  test('that names other servers than the zone itself is amiss, both ways', async () => {
    const found = await judged(['ns1.test', 'old.test'], ['ns1.test', 'new.test']);
    expect(found.level).toBe('amiss');
    expect(found.message).toContain('its parent leads to old.test, which the zone does not name');
    expect(found.message).toContain('the zone names new.test, to which its parent does not lead');
  });

  test('that names the same is fine; one that nobody can tell is unknown', async () => {
    expect(await judged(['ns2.test', 'ns1.test'], ['ns1.test', 'ns2.test'])).toMatchObject({ level: 'fine' });
    expect(await judged([], ['ns1.test'])).toMatchObject({ level: 'unknown' });
    expect(await checkDelegation(zone, [at('ns1.test')], needs, never)).toMatchObject({ level: 'unknown' });
  });
});
