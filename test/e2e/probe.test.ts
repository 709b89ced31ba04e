import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Served } from '../../src/core/ports.ts';
import { createProber } from '../../src/deploy/probe.ts';
import { hasServer } from '../support/fetch/index.ts';
import { nginxReload, startNginx } from '../support/nginx.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';
import { createAuthority } from '../support/tls.ts';
import { startWebhook } from '../support/webhook.ts';
import { hostNames, hostsConfig, hostsSite, issued, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();
const never = new AbortController().signal;
const prober = createProber({ clock: systemClock, resolve: async () => [], isPrivate: () => false });
const [host = ''] = hostNames(1);

it.skipIf(!hasServer('nginx'))(
  'D9 what nginx shows otherwise behind the back of the agent is seen, deployed anew, and told once (needs nginx)',
  async () => {
    const pebble = keep(await startPebble());
    const hook = keep(await startWebhook());
    const nginxFolder = testFolder('nginx');
    const reload = nginxReload(nginxFolder);
    const site = await hostsSite({ pebble, hosts: [host] });
    const path = join(site.folder, 'certificates');
    const place = join(path, 'hosts.test', host);
    const configure = (web: object) => {
      const config = {
        deployTargets: { web: { target: 'files', path, ...web } },
        notifiers: { hook: { notifier: 'webhook', url: hook.url, secret: hook.secret } },
      };
      site.configure(hostsConfig(site, { pebble, hosts: [host], config }));
    };

    // First the files, which nginx needs to start; then its address, which the agent looks at.
    configure({});
    const first = await site.start();
    await issued(site, [host]);
    await first.stop();
    const nginx = keep(await startNginx(nginxFolder, place));
    configure({ reload, probe: [`127.0.0.1:${nginx.port}`] });
    // What this machine trusts besides is nothing that clients have.
    const agent = keep(await site.start({ env: { NODE_EXTRA_CA_CERTS: join(place, 'chain.pem') } }));
    // Its own reload for the changed target would mend what is broken below.
    await until('the target is deployed anew', () => agent.output().includes('certificate deployed'));

    const probe = () => site.ask('probe', host);
    await until('all is in order', async () => (await probe()).code === 0, 60_000);
    expect((await probe()).stdout).toContain(
      `ok     web 127.0.0.1:${nginx.port} shows the certificate that was`,
    );

    const configFile = join(nginxFolder, 'nginx.conf');
    const right = readFileSync(configFile, 'utf8');
    /** Somebody has nginx show something else, and mends only its configuration file. */
    const shownOtherwise = async (folder: string, file: string, isShown: (served: Served) => boolean) => {
      writeFileSync(configFile, right.replaceAll(place, folder).replace('fullchain.pem', file));
      const [program = '', ...args] = reload;
      execFileSync(program, args);
      await until('nginx has taken it up', async () => {
        const [sight] = await prober.look({ at: { host: '127.0.0.1', port: nginx.port }, name: host }, never);
        return sight?.kind === 'served' && isShown(sight.served);
      });
      writeFileSync(configFile, right);
    };
    const mended = (count: number) =>
      until(
        'it is told that it is over',
        () => hook.notices.filter(({ kind }) => kind === 'probe-recovered').length === count,
        60_000,
      );
    const amissWith = async (words: string) => {
      let said = '';
      await until(`probe says ${words}`, async () => {
        const { stdout } = await probe();
        said = `${said}${stdout}`;
        return said.includes(words);
      });
    };

    const foreign = testFolder('foreign');
    mkdirSync(foreign, { recursive: true });
    const { certificatePem, privateKeyPem } = createAuthority('Somebody').issue(['other.example']);
    writeFileSync(join(foreign, 'fullchain.pem'), certificatePem);
    writeFileSync(join(foreign, 'privkey.pem'), privateKeyPem);
    await shownOtherwise(foreign, 'fullchain.pem', ({ names }) => names.includes('other.example'));
    await amissWith(`shows a certificate for other.example, not for ${host}`);
    await mended(1);

    await shownOtherwise(place, 'cert.pem', ({ chain }) => chain.length === 1);
    await amissWith('without the intermediate certificate of Pebble Intermediate CA');
    await mended(2);

    const { code, stdout } = await probe();
    expect(code, stdout).toBe(0);
    expect(hook.notices.filter(({ kind }) => kind === 'probe-failed')).toHaveLength(2);

    expect((await site.ask('check')).stdout).toMatch(/^ok +probe of web: 1 server reached$/m);

    await nginx.stop();
    const silent = await site.json('probe', host).catch((error: unknown) => String(error));
    expect(silent).toMatch(/ended with 5: .*"level": "unknown"/s);
    expect(hook.notices.filter(({ kind }) => kind === 'probe-failed')).toHaveLength(2);
  },
);
