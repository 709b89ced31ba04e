import { once } from 'node:events';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { tryProbes } from '../../src/agent/check-probes.ts';
import { systemClock } from '../../src/clock.ts';
import { createProber } from '../../src/deploy/probe.ts';
import { freePort } from '../support/ports.ts';

const never = new AbortController().signal;
const prober = createProber({ clock: systemClock, resolve: async () => [], isPrivate: () => false });

test('a server that is there is reached, though it has nothing for the name; one that is not gets a warning', async () => {
  const server = createServer({ SNICallback: (_, done) => done(null, undefined) });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const up = typeof address === 'object' && address !== null ? address.port : 0;
  const down = await freePort();
  const host = '127.0.0.1';
  expect(await tryProbes({ probe: [{ host, port: up }] }, prober, never)).toBe('1 server reached');
  const both = [
    { host, port: up },
    { host, port: down },
    { host: 'edge.internal', port: 443 },
  ];
  expect(await tryProbes({ probe: both }, prober, never)).toEqual({
    warning: `not reached from here: 127.0.0.1:${down} (nothing listens there), edge.internal:443 (the name has no address)`,
    advice:
      'Nothing is known of what such a server shows: let this machine reach it, or take it out of "probe".',
  });
});
