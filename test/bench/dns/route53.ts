import { startPebble } from '../../support/pebble.ts';
import { until } from '../../support/process.ts';
import { startRoute53 } from '../../support/route53.ts';
import { quantile } from '../issuance/row.ts';
import { outcomesOf, zoneSite } from './site.ts';

const count = 100;
const mostChanges = 10;
const zone = 'zone.test';

/** A hundred orders at once in one zone; what they cost the vendor. True: as few changes as they should. */
export async function byRoute53(say: (text: string) => void): Promise<boolean> {
  const names = Array.from({ length: count }, (_, index) => `t${index}.${zone}`);
  const route53 = await startRoute53({
    zones: [{ name: zone }],
    insyncMs: 300,
    limit: { perSecond: 10, burst: 50 },
  });
  const dns = `127.0.0.1:${route53.dnsAddress.port}`;
  const pebble = await startPebble({ dnsServer: dns, nonceReject: 0, retryAfter: { authz: 0, order: 0 } });
  const { endpoint, accessKeyId } = route53;
  const account = { provider: 'route53', endpoint, accessKeyId, secretAccessKey: 'of the emulator' };
  const site = await zoneSite({ pebble, dns, account, domains: names, concurrency: count });
  const before = route53.zoneStore.held(zone).length;
  const agent = await site.start();
  try {
    const outcomes = outcomesOf(agent);
    await until('all are issued', () => outcomes().length >= count, 300_000);
    await until('the challenges are gone', () => route53.zoneStore.held(zone).length === before, 60_000);
    const issued = outcomes().filter((one) => one !== 'failed');
    const seconds =
      (Math.max(...issued.map(({ at }) => at)) - Math.min(...issued.map(({ at, ms }) => at - ms))) / 1000;
    const latencies = issued.map(({ ms }) => ms);
    const { change, list, getChange, zonesByName } = route53.calls;
    say(
      `Route 53, ${count} orders of apex and wildcard at once, INSYNC after 300 ms, 10 calls/s (50 at once):`,
    );
    say(`  ${issued.length} issued in ${seconds.toFixed(1)} s, ${outcomes().length - issued.length} failed;`);
    say(
      `  p50 ${quantile(latencies, 0.5).toFixed(0)} ms, p95 ${quantile(latencies, 0.95).toFixed(0)} ms an order`,
    );
    say(`  ChangeResourceRecordSets ${change}, adds and removals together (at most ${mostChanges} wanted)`);
    say(
      `  ListResourceRecordSets ${list}, GetChange ${getChange}, ListHostedZonesByName ${zonesByName}, refused ${route53.refused()}\n`,
    );
    return change <= mostChanges && issued.length === count;
  } finally {
    await agent.stop(20_000);
    await pebble.stop();
    await route53.stop();
  }
}
