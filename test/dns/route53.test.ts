import { expect, onTestFinished, test } from 'vitest';
import { route53 } from '../../providers/route53.ts';
import { systemClock } from '../../src/clock.ts';
import { createDns } from '../../src/dns/index.ts';
import { createMemoryLog, createMemoryStore } from '../support/memory.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { startRoute53 } from '../support/route53.ts';
import { never, until, untilReady, wish } from './stage.ts';

test('twenty orders of apex and wildcard at once cost Route 53 a handful of calls', async () => {
  const emulator = await startRoute53({
    zones: [{ name: 'example.test', id: 'ZEXAMPLE' }],
    insyncMs: 200,
    changeMs: 50,
  });
  onTestFinished(() => emulator.stop());
  const options = route53.options.parse({
    endpoint: emulator.endpoint,
    accessKeyId: emulator.accessKeyId,
    secretAccessKey: 'of the emulator',
  });
  const provider = await route53.create(options, createPluginContext('aws'));
  const memory = createMemoryStore();
  const address = `${emulator.dnsAddress.address}:${emulator.dnsAddress.port}`;
  const dns = createDns(
    { accounts: [{ name: 'aws', provider, zones: [] }], resolvers: [address] },
    { ...memory, clock: systemClock, log: createMemoryLog() },
  );
  onTestFinished(() => dns.close());
  const names = Array.from({ length: 20 }, (_, index) => `d${index}.example.test`);

  const ids = await Promise.all(
    names.map(async (name) => {
      const presented = await dns.present([wish(name, 'apex'), wish(name, 'wildcard')], never);
      await untilReady(dns, presented);
      return presented;
    }),
  );

  expect(emulator.calls.change).toBeLessThanOrEqual(2);
  expect(emulator.calls.getChange).toBeLessThanOrEqual(8);
  expect(emulator.calls.zonesByName).toBe(1);
  expect(emulator.calls.list).toBeLessThanOrEqual(2);
  for (const name of names)
    expect(emulator.zoneStore.published(`_acme-challenge.${name}`, 'TXT')?.values).toHaveLength(2);
  await dns.cleanUp(ids.flat(), never);
  await until(async () => (await memory.journal.all()).length === 0);
  expect(emulator.zoneStore.held('example.test').filter(({ type }) => type === 'TXT')).toEqual([]);
});
