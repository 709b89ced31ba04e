/** What an agent does until its DNS vendor has answered, for a test that kills it before: settings come by standard input. */

import { text } from 'node:stream/consumers';
import { dnsProviders } from '../../providers/index.ts';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { createDns, type TxtWish } from '../../src/dns/index.ts';
import { createMetrics } from '../../src/metrics.ts';
import { openStore } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import type { AccountSettings } from './subject.ts';

export interface DyingAgent {
  readonly account: AccountSettings;
  readonly redisUrl: string;
  /** Base64. */
  readonly masterKey: string;
  readonly resolver: string;
  readonly wish: TxtWish;
}

const signal = new AbortController().signal;
const settings: DyingAgent = JSON.parse(await text(process.stdin));
const dns = await open(settings);
const [id = ''] = await dns.present([settings.wish], signal);
// Kept alive by the call that gets no answer. Whoever sees one was not killed in time.
for (let shown = await dns.ready(id, signal); shown !== true; shown = await dns.ready(id, signal))
  await systemClock.sleep(Math.max(10, shown.checkAgainAt - Date.now()), signal);
process.stdout.write('the vendor has answered\n');
process.exit(1);

async function open({ account, redisUrl, masterKey, resolver }: DyingAgent) {
  const [clock, log] = [systemClock, createMemoryLog()];
  const masterKeys = [secret<Uint8Array>(Buffer.from(masterKey, 'base64'))];
  const store = await openStore({ redis: { url: redisUrl }, masterKeys, clock, log });
  const context = createPluginContext('main');
  const definition = dnsProviders.find(({ name }) => name === account.provider);
  if (definition === undefined) throw new Error(`there is no DNS provider "${account.provider}"`);
  const provider = await definition.create(definition.options.parse(account.options), context);
  const pluginState = () => context.state;
  const metrics = createMetrics({ clock, log });
  return createDns(
    { accounts: [{ name: 'main', provider, zones: [], nameservers: [] }], resolvers: [resolver] },
    { ...store, metrics, clock, log, pluginState, http: context.http },
  );
}
