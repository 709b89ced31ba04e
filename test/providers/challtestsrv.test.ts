import { describe } from 'vitest';
import { challtestsrv } from '../../providers/challtestsrv.ts';
import { systemClock } from '../../src/clock.ts';
import { query } from '../../src/dns/wire.ts';
import { describeProvider } from '../contract/dns-provider.ts';
import type { ProviderUnderTest } from '../contract/subject.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startChalltestsrv } from '../support/pebble.ts';
import { createPluginContext } from '../support/plugin-context.ts';

describe.skipIf(!hasServer('pebble-challtestsrv'))("with Pebble's challenge test server", () => {
  describeProvider('challtestsrv', {
    traits: challtestsrv.traits,
    setup,
    notApplicable: {
      delegated: 'it has no zones',
      missing: 'it has no zones',
      withWrongCredentials: 'it has no credentials',
      refused: 'it takes every name',
      calls: 'it does not count them',
      denyRights: 'it has no credentials',
      throttleOnce: 'it has no limits',
      failOnce: 'it always answers',
      large: 'it has no zones',
      dns: 'it has no zones, and its DNS server no SOA',
      aliases: 'it has no zones',
      loseAnswerOnce: 'it always answers',
      hangOnce: 'it always answers',
      ttl: 'it keeps no TTLs',
      isPublished: 'it shows a change before it answers',
    },
  });
});

async function setup(): Promise<ProviderUnderTest> {
  const server = await startChalltestsrv();
  const create = () =>
    challtestsrv.create(
      challtestsrv.options.parse({ url: server.managementUrl, dns: server.dnsAddress }),
      createPluginContext('test'),
    );
  const [provider, again] = [await create(), await create()];
  const seen = new Set<string>();
  const txt = async (name: string) => {
    seen.add(name);
    const [address = '', port] = server.dnsAddress.split(':');
    const options = { clock: systemClock, signal: new AbortController().signal };
    const { answers } = await query({ address, port: Number(port) }, { name, type: 'TXT' }, options);
    return answers.flatMap((record) => (record.type === 'TXT' ? [record.value] : []));
  };
  return {
    provider,
    zone: { name: 'example.test' },
    again: () => again,
    txt,
    addForeign: server.setTxt,
    removeForeign: server.clearTxt,
    // It cannot list names: those that a test looked at must be empty again.
    snapshot: async () => (await Promise.all([...seen].map(txt))).flat().join('\n'),
    stop: server.stop,
    server: {
      port: Number(new URL(server.managementUrl).port),
      account: (port) => ({
        provider: 'challtestsrv',
        options: { url: `http://127.0.0.1:${port}`, dns: server.dnsAddress },
      }),
    },
  };
}
