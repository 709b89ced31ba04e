import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { accepted, deployed, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
const hosts = ['h0.hosts.test', 'h1.hosts.test', 'h2.hosts.test'] as const;
const [h0, h1, h2] = hosts;

describe('certificates of a real CA', () => {
  it('are revoked after their successor is in place, at once, or when nobody wants them; and deleted', async () => {
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const site = await hostsSite({ pebble, proxy, hosts: [], config: { domains: [] } });
    const agent = keep(await site.start());
    const statusOf = async (serial: string) =>
      JSON.parse(await pebble.management(`/cert-status-by-serial/${serial}`)) as {
        readonly Status: string;
        readonly Reason?: number;
      };
    await site.json('domains', 'add', 'hosts.test', '--mode', 'individual', '--hosts', hosts.join(','));
    const first = await issued(site, hosts);
    const serial = (host: string) => first.get(host) ?? '';

    const odd = await site.ask('revoke', h0, '--reason', 'cACompromise');
    expect(odd.code).toBe(2);
    expect(odd.stderr).toContain('unspecified or keyCompromise or superseded or cessationOfOperation');

    // With a successor first: what is deployed when the CA hears of it is not what it revokes.
    const shown: (string | undefined)[] = [];
    proxy.status(
      ({ kind }) => {
        if (kind === 'revokeCert') shown.push(deployed(site, h0)?.serial);
        return false;
      },
      { code: 500 },
    );
    const done = await site.ask('revoke', h0, '--reason', 'keyCompromise', '--wait');
    expect(done, done.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('1 revoked') });
    expect(await statusOf(serial(h0))).toMatchObject({ Status: 'Revoked', Reason: 1 });
    const next = deployed(site, h0);
    expect(next).toMatchObject({ selfSigned: false });
    expect(next?.serial).not.toBe(serial(h0));
    expect(shown).toEqual([next?.serial]);
    expect((await statusOf(next?.serial ?? '')).Status).toBe('Valid');

    const now = await site.ask('revoke', h1, '--now', '--wait');
    expect(now, now.stderr).toMatchObject({ code: 0 });
    expect(await statusOf(serial(h1))).toMatchObject({ Status: 'Revoked' });
    await issued(site, [h1], { before: first });

    const id = `hosts.test/${h2}/ec`;
    await site.json('hosts', 'remove', h2);
    const gone = await site.ask('revoke', id, '--reason', 'cessationOfOperation', '--wait');
    expect(gone, gone.stderr).toMatchObject({ code: 0 });
    expect(await statusOf(serial(h2))).toMatchObject({ Status: 'Revoked', Reason: 5 });
    const again = await site.ask('revoke', id);
    expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining('is revoked since') });
    expect(accepted(proxy, 'newOrder')).toBe(5);

    const kept = await site.ask('certs', 'purge', `hosts.test/${h0}/ec`);
    expect(kept.stdout).toContain('asks for it');
    expect((await site.ask('certs', 'purge', id)).stdout).toBe(`deleted ${id}\n`);
    const list = (await site.ask('certs', 'list', '--quiet', '--all')).stdout;
    expect(list).not.toContain(h2);
    expect(list).toContain(h1);
    await until('the CA heard of three revocations', () => accepted(proxy, 'revokeCert') === 3, 10_000);

    // Without an account there is no successor, and nobody but the key of the certificate to sign.
    const last = deployed(site, h1)?.serial ?? '';
    expect((await site.ask('account', 'deactivate', 'pebble', '--confirm', 'pebble')).code).toBe(0);
    const closed = await site.ask('revoke', h1, '--now', '--wait');
    expect(closed, closed.stderr).toMatchObject({ code: 0 });
    expect(await statusOf(last)).toMatchObject({ Status: 'Revoked' });
    expect(agent.output()).not.toMatch(/"level":(50|60)/);
  }, 180_000);
});
