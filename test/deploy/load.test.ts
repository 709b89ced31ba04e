import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Deployer } from '../../src/core/ports.ts';
import { haproxy } from '../../src/deploy/haproxy.ts';
import { createTalk } from '../../src/deploy/haproxy-socket.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { nginxReload, startNginx } from '../support/nginx.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { testFolder } from '../support/run-folder.ts';
import { startTlsLoad } from '../support/tls-load.ts';
import {
  createFilesTarget,
  createManualClock,
  deployNow,
  linkOf,
  makeBundle,
  signal,
  slot,
} from './fixture.ts';

const replacements = 20;

/** Replaces the certificate again and again; resolves with how long it took from the begin of each deployment, and from its end, until a client saw it, in milliseconds. */
async function replaceUnderLoad(
  target: Deployer,
  { port, clock }: { readonly port: number; readonly clock?: { advance(ms: number): void } },
): Promise<{
  readonly delays: readonly number[];
  readonly afterwards: readonly number[];
  readonly handshakes: number;
  readonly failures: readonly string[];
}> {
  const bundles = await Promise.all(Array.from({ length: replacements + 1 }, () => makeBundle([slot.label])));
  const delays: number[] = [];
  const afterwards: number[] = [];
  const [first, ...others] = bundles;
  if (first === undefined) throw new Error('no certificate');
  await deployNow(target, { bundle: first, slot });
  clock?.advance(10_000);
  const load = startTlsLoad({ port, servername: slot.label }, 8);
  try {
    await load.untilShown(first.certificate.fingerprint);
    for (const bundle of others) {
      const { fingerprint } = bundle.certificate;
      const shown = load.untilShown(fingerprint);
      const since = performance.now();
      expect(await deployNow(target, { bundle, slot })).toBe(fingerprint);
      // The next reload of a target is due 10 s after the last one.
      clock?.advance(10_000);
      const doneAt = performance.now();
      await shown;
      delays.push(performance.now() - since);
      afterwards.push(performance.now() - doneAt);
    }
  } finally {
    await load.stop();
  }
  const fingerprints = bundles.map(({ certificate }) => certificate.fingerprint);
  // What was there before the first may still be shown when that is: by a worker that ends.
  expect(load.seen.filter((shown) => fingerprints.includes(shown))).toEqual(fingerprints);
  return { delays, afterwards, handshakes: load.done(), failures: load.failures };
}

function tell(
  server: string,
  {
    delays,
    afterwards,
    handshakes,
  }: { delays: readonly number[]; afterwards: readonly number[]; handshakes: number },
): void {
  const worst = Math.round(Math.max(...delays));
  process.stderr.write(
    `${server}: ${delays.length} replacements during ${handshakes} handshakes; seen within ${worst} ms of the begin and ${Math.round(Math.max(...afterwards))} ms of the end of the deployment at worst\n`,
  );
}

describe('20 replacements under constant load', () => {
  it.skipIf(!hasServer('haproxy'))(
    'fail no handshake of HAProxy, and need no reload (needs haproxy)',
    async () => {
      const server = await startHaproxy();
      try {
        const options = haproxy.options.parse({ socket: server.socket, path: server.certs });
        const target = await haproxy.create(options, createPluginContext('edge'));
        const talk = createTalk({ path: server.socket }, systemClock);
        const pid = async () => /^Pid: (\d+)/m.exec(await talk('show info', signal))?.[1];
        const before = await pid();
        const result = await replaceUnderLoad(target, server);
        tell('HAProxy', result);
        expect(result.failures).toEqual([]);
        expect(await pid()).toBe(before);
        expect(before).toBe(String(server.process.pid));
      } finally {
        await server.stop();
      }
    },
  );

  it.skipIf(!hasServer('nginx'))(
    'fail no handshake of nginx, which reloads after each (needs nginx)',
    async () => {
      const folder = testFolder('nginx');
      const path = join(folder, 'certs');
      const clock = createManualClock();
      const reload = nginxReload(folder);
      const waiting = await createFilesTarget({ path, layout: 'nginx' }, { clock });
      await deployNow(waiting, { bundle: await makeBundle([slot.label]), slot });
      const server = await startNginx(folder, linkOf(path));
      try {
        const target = await createFilesTarget({ path, layout: 'nginx', reload }, { clock });
        const result = await replaceUnderLoad(target, { port: server.port, clock });
        tell('nginx', result);
        expect(result.failures).toEqual([]);
      } finally {
        await server.stop();
      }
    },
  );

  it.skipIf(!hasServer('haproxy'))(
    'fail no handshake of HAProxy that reads a crt-list and is reloaded (needs haproxy)',
    async () => {
      const path = testFolder('files');
      const clock = createManualClock();
      const waiting = await createFilesTarget({ path, layout: 'haproxy' }, { clock });
      await deployNow(waiting, { bundle: await makeBundle([slot.label]), slot });
      const server = await startHaproxy({ list: join(path, 'crt-list.txt'), master: true });
      try {
        const reload = ['kill', '-USR2', String(server.process.pid)];
        const target = await createFilesTarget({ path, layout: 'haproxy', reload }, { clock });
        const result = await replaceUnderLoad(target, { port: server.port, clock });
        tell('HAProxy with a crt-list', result);
        expect(result.failures).toEqual([]);
      } finally {
        await server.stop();
      }
    },
  );
});
