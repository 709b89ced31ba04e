import { once } from 'node:events';
import type { Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { exitOf, renderText } from '../../src/cli/render.ts';
import { systemClock } from '../../src/clock.ts';
import { createProber } from '../../src/deploy/probe.ts';
import { createPrivateCheck } from '../../src/http/private.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { probe } from '../../src/operations/probe.ts';
import { why } from '../../src/operations/why.ts';
import { bench, day, start, useBench } from '../operations/fixture.ts';
import { chainPem, issued, upload } from '../operations/uploads-kit.ts';
import { type Forged, keyPem } from '../support/forge.ts';
import { freePort } from '../support/ports.ts';
import { handIn } from '../x509/upload/pki.ts';

useBench();

const never = new AbortController().signal;
const running: Server[] = [];
const name = 'www.example.com';

afterEach(async () => {
  for (const server of running.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A real TLS server, and the agent's own prober before it. */
async function serving(one: Forged, chain = chainPem, host = '127.0.0.1'): Promise<number> {
  const server = createServer({ key: keyPem(one.key), cert: one.pem + chain });
  server.on('tlsClientError', () => undefined);
  running.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function realProber(addresses: readonly string[] = []): void {
  const prober = createProber({
    clock: systemClock,
    resolve: async () => addresses,
    isPrivate: createPrivateCheck([]),
  });
  bench.prober.sights = (question) => prober.look(question, never);
}

/** One that was uploaded, and that the target `files` was seen to have. */
async function deployed(): Promise<{ readonly one: Forged; readonly id: string }> {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
  const one = issued([name]);
  const { id } = await upload(handIn(one.pem, { key: keyPem(one.key), chain: chainPem }));
  await bench.seen(id, await bench.needs.certificates.certificate(id));
  return { one, id };
}

async function probed(...ports: readonly (number | { readonly host: string; readonly port: number })[]) {
  bench.settings = {
    probes: { files: ports.map((one) => (typeof one === 'number' ? { host: '127.0.0.1', port: one } : one)) },
  };
  const answer = await bench.run(probe, { name });
  return { answer, text: renderText('probe', answer), exit: exitOf('probe', answer) };
}

describe('what Deis has a person look at with curl:', () => {
  test('D9 all is in order, over IPv4 and IPv6', async () => {
    const { one } = await deployed();
    realProber();
    const [four, six] = [await serving(one), await serving(one, chainPem, '::1')];
    const { text, exit } = await probed(four, { host: '::1', port: six });
    const until = `${new Date(start + 90 * day).toISOString().slice(0, 10)} (90 days left)`;
    const words = `shows the certificate that was deployed, with its chain, valid until ${until}`;
    expect(text.split('\n')).toEqual([
      'www.example.com, as the agent sees it:',
      `ok     files 127.0.0.1:${four} ${words}.`,
      `ok     files [::1]:${six} ${words}.`,
      'Clients are shown what was deployed.',
      '',
    ]);
    expect(exit).toBe(0);
    expect(await bench.events('probe.failed')).toEqual([]);
  });

  test('D9 the name does not match: it says which it got instead, and has the right one deployed anew', async () => {
    const { id } = await deployed();
    realProber();
    const port = await serving(issued(['other.example.org']));
    const { text, exit, answer } = await probed(port);
    expect(text).toContain(
      `AMISS  files 127.0.0.1:${port} shows a certificate for other.example.org, not for www.example.com.`,
    );
    expect(text).toContain('files is deployed anew now.');
    expect(exit).toBe(1);
    expect(await bench.needs.due.at('deploy', `files|${id}`)).toBe(answer.targets[0]?.nextAt);
    expect(bench.woken.at(-1)).toEqual({ job: 'deploy', ids: [`files|${id}`] });
    expect(await bench.events('probe.failed')).toHaveLength(1);
    expect((await bench.run(why, { host: name })).lines.join('\n')).toMatch(
      /At files: in place, .*\n {2}But clients are shown something else since .*: 127\.0\.0\.1:\d+ shows a certificate for other\.example\.org/,
    );
    bench.settings = {};
    expect((await bench.run(why, { host: name })).lines.join('\n')).not.toContain('shown something else');
    // Again is as good as once; right again closes it.
    await probed(port);
    expect(await bench.events('probe.failed')).toHaveLength(1);
  });

  test('D9 a missing intermediate is seen, and nothing else of it', async () => {
    const { one } = await deployed();
    realProber();
    const port = await serving(one, '');
    const { text, exit } = await probed(port);
    expect(text).toMatch(
      /AMISS .* shows the certificate that was deployed without the intermediate certificate of .*: clients that do not fetch it by themselves refuse it\./,
    );
    expect(exit).toBe(1);
  });

  test('D9 an older certificate of the same name is not the one that was deployed', async () => {
    await deployed();
    realProber();
    const { text, exit } = await probed(await serving(issued([name])));
    expect(text).toContain('shows another certificate than was deployed: one of');
    expect(exit).toBe(1);
  });

  test('D9 what was amiss is over once a look finds all right', async () => {
    const { one, id } = await deployed();
    realProber();
    await probed(await serving(issued([name])));
    expect((await bench.needs.deployments.get('files', id))?.amiss).toBeDefined();
    await probed(await serving(one));
    expect((await bench.needs.deployments.get('files', id))?.amiss).toBeUndefined();
    expect(await bench.events('probe.recovered')).toHaveLength(1);
  });

  test('D9 a server that is not reached is no mismatch: told, and nothing follows', async () => {
    const { one, id } = await deployed();
    realProber();
    const before = await bench.needs.deployments.get('files', id);
    const [up, down] = [await serving(one), await freePort()];
    const { text, exit } = await probed(up, down);
    expect(text).toContain(`-      files 127.0.0.1:${down} is not reached from here: nothing listens there.`);
    expect(text).toContain('What was reached is right; of the rest nothing is known from here.');
    expect(exit).toBe(5);
    expect(await bench.needs.deployments.get('files', id)).toEqual(before);
    const alone = await probed(down);
    expect(alone.text).toContain('Nothing is known from here of what clients are shown.');
    expect(alone.exit).toBe(5);
    expect(await bench.events('probe.failed')).toEqual([]);
  });

  test('D9 without servers in the file it follows the DNS, to public addresses only, and only tells', async () => {
    await deployed();
    realProber(['127.0.0.1']);
    const answer = await bench.run(probe, { name });
    expect(renderText('probe', answer)).toContain(
      `${name}, where the DNS leads, for no target of its domain names servers to be looked at ("probe"):`,
    );
    expect(answer.targets).toMatchObject([
      {
        findings: [{ level: 'unknown', message: expect.stringContaining('a private or link-local address') }],
      },
    ]);
    bench.prober.sights = () => [{ address: '192.0.2.1:443', kind: 'refused', message: 'no' }];
    expect((await bench.run(probe, { name })).targets).toMatchObject([{ findings: [{ level: 'amiss' }] }]);
    expect(await bench.events('probe.failed')).toEqual([]);
  });

  test('D9 a name has one line at each address, though another certificate covers it as well', async () => {
    const { one } = await deployed();
    const star = issued(['example.com', '*.example.com']);
    const { id } = await upload(handIn(star.pem, { key: keyPem(star.key), chain: chainPem }));
    await bench.seen(id, await bench.needs.certificates.certificate(id));
    realProber();
    const [own, covering] = [await serving(one), await serving(star)];
    const { text, exit, answer } = await probed(own, covering);
    expect(answer.targets).toHaveLength(1);
    expect(text.match(/^ok/gm)).toHaveLength(2);
    expect(exit).toBe(0);
  });

  test('D9 what is still on its way is not looked at, and what is no host is refused', async () => {
    const { id } = await deployed();
    await bench.needs.changes.commit({
      putDeployments: [{ version: 1, target: 'files', lineage: id, failures: 0 }],
    });
    const { text, exit } = await probed(443);
    expect(text).toContain('-      files: what it should show is still on its way there.');
    expect(exit).toBe(5);
    await expect(bench.run(probe, { name: '*.example.com' })).rejects.toThrow(
      'nobody connects to *.example.com',
    );
    await expect(bench.run(probe, { name: 'www.example.org' })).rejects.toThrow('no domain is configured');
  });
});
