import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startWebhook } from '../support/webhook.ts';
import {
  asked,
  breakOrders,
  deployed,
  hostNames,
  hostsSite,
  issued,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();

describe('people', () => {
  it('are told of a failure that only they can mend, of the fallback, by reminders, and of the end of it', async () => {
    const [host = ''] = hostNames(1);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const receiver = keep(await startWebhook());
    const { url, secret } = receiver;
    const notifiers = { platform: { notifier: 'webhook', url, secret } };
    const body = {
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'we do not serve hosts.test',
    };
    const fault = breakOrders(proxy, { code: 403, body });
    const site = await hostsSite({ pebble, proxy, hosts: [host], config: { notifiers } });
    keep(await site.start());

    const kinds = () => receiver.notices.map(({ kind }) => kind);
    // The reminder comes with the tick.
    await until('all three came', () => kinds().length >= 3, 90_000);
    expect(kinds().toSorted()).toEqual(['failed', 'fallback', 'reminder']);
    const told = (wanted: string) => receiver.notices.find(({ kind }) => kind === wanted);
    expect(told('failed')).toMatchObject({
      lineage: `hosts.test/${host}/ec`,
      code: 'order.rejectedIdentifier',
      message: expect.stringContaining('we do not serve hosts.test'),
      advice: expect.stringContaining('use another issuer'),
    });
    expect(told('reminder')?.reminder).toEqual({ number: 1, of: 30 });
    expect(deployed(site, host)?.selfSigned).toBe(true);

    fault.mend();
    expect(await site.ask('renew', host, '--wait')).toMatchObject({ code: 0 });
    await issued(site, [host]);
    await until('the end is told', () => kinds().includes('recovered'));
    expect(kinds()).toHaveLength(4);
    expect(asked(proxy)).toBe(2);
  });
});
