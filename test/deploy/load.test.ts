import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Deployer } from '../../src/core/ports.ts';
import { haproxy } from '../../src/deploy/haproxy.ts';
import { createTalk } from '../../src/deploy/haproxy-socket.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { startTlsLoad } from '../support/tls-load.ts';
import { deployNow, makeBundle, signal, slot } from './fixture.ts';

const replacements = 20;

/** Replaces the certificate again and again; resolves with how long it took from the deployment's begin until a client saw each, in milliseconds. */
async function replaceUnderLoad(
  target: Deployer,
  { port }: { readonly port: number },
): Promise<{
  readonly delays: readonly number[];
  readonly handshakes: number;
  readonly failures: readonly string[];
}> {
  const bundles = await Promise.all(Array.from({ length: replacements + 1 }, () => makeBundle([slot.label])));
  const delays: number[] = [];
  const [first, ...others] = bundles;
  if (first === undefined) throw new Error('no certificate');
  await deployNow(target, { bundle: first, slot });
  const load = startTlsLoad({ port, servername: slot.label }, 8);
  try {
    await load.untilShown(first.certificate.fingerprint);
    for (const bundle of others) {
      const { fingerprint } = bundle.certificate;
      const shown = load.untilShown(fingerprint);
      const since = performance.now();
      expect(await deployNow(target, { bundle, slot })).toBe(fingerprint);
      await shown;
      delays.push(performance.now() - since);
    }
  } finally {
    await load.stop();
  }
  expect(load.seen).toEqual(bundles.map(({ certificate }) => certificate.fingerprint));
  return { delays, handshakes: load.done(), failures: load.failures };
}

function tell(
  server: string,
  { delays, handshakes }: { delays: readonly number[]; handshakes: number },
): void {
  const worst = Math.round(Math.max(...delays));
  process.stderr.write(
    `${server}: ${delays.length} replacements during ${handshakes} handshakes; seen within ${worst} ms of the begin of the deployment at worst\n`,
  );
}

describe('20 replacements under constant load', () => {
  it.skipIf(!hasServer('haproxy'))('fail no handshake of HAProxy, and need no reload', async () => {
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
  });
});
