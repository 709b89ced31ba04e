/**
 * `npm run bench -- sni [--hosts=N]`: a TLS server whose certificates come from the SNI resolver, 10,000 hosts in a real
 * store, beside one with a static context, in turns within one run. Ratios count; absolute numbers are this machine's.
 * Ends with 1 when cached names get less than 0.95 of the handshakes of the static context, or memory leaves its setting.
 */

import { availableParallelism } from 'node:os';
import { createServer, type TlsOptions } from 'node:tls';
import { createSniResolver, type SniResolver } from '../../src/index.ts';
import { openRun } from '../support/run-folder.ts';
import { startClients } from './sni/clients.ts';
import { type Filled, fill } from './sni/fill.ts';

const least = 0.95;
const rounds = 7;
const roundMs = 2_000;
const megabyte = 1024 * 1024;
const hosts = Number(process.argv.find((arg) => arg.startsWith('--hosts='))?.slice(8) ?? 10_000);
const say = (text: string) => process.stdout.write(`${text}\n`);

openRun();
const filled = await fill(hosts);
say(
  `Node ${process.version}, ${availableParallelism()} cores, ${hosts} hosts, P-256, TLS 1.3, no resumption\n`,
);
const isFast = await rates(filled);
const isSmall = await bounded(filled);
await filled.stop();
process.exitCode = isFast && isSmall ? 0 : 1;

async function rates({ names, options, sample }: Filled): Promise<boolean> {
  const resolver = await createSniResolver(options);
  const warmMs = await warm(resolver, names);
  say(`all names read once: ${(warmMs / names.length).toFixed(2)} ms each; ${inWords(resolver)}`);
  const { misses } = resolver.stats();
  const servers = [await listen(sample), await listen(resolver.serverOptions())] as const;
  const clients = await startClients(names);
  const ratios: number[] = [];
  await Promise.all(servers.map(({ port }) => clients.rate(port, roundMs / 4)));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const rate = [0, 0];
    for (const index of order) rate[index] = await clients.rate(servers[index as 0 | 1].port, roundMs);
    const [still = 1, ours = 0] = rate;
    ratios.push(ours / still);
    say(`static ${still.toFixed(0)}/s   resolver ${ours.toFixed(0)}/s   ratio ${(ours / still).toFixed(3)}`);
  }
  await clients.stop();
  const asked = resolver.stats().misses - misses;
  for (const server of servers) await server.stop();
  await resolver.close();
  const median = ratios.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
  say(`median ratio ${median.toFixed(3)} (least ${least}); names read from the store meanwhile: ${asked}\n`);
  return median >= least && asked === 0;
}

/** A tenth of the memory that all would take. */
async function bounded({ names, options }: Filled): Promise<boolean> {
  const maxBytes = Math.max(megabyte, Math.ceil((names.length * 32 * 1024) / 10));
  const before = process.memoryUsage().rss;
  const resolver = await createSniResolver({ ...options, maxBytes });
  for (let round = 0; round < 2; round++) await warm(resolver, names);
  const { bytes } = resolver.stats();
  const grown = (process.memoryUsage().rss - before) / megabyte;
  say(`with maxBytes ${(maxBytes / megabyte).toFixed(1)} MiB, all names twice: ${inWords(resolver)}`);
  say(`memory of the process grew by ${grown.toFixed(0)} MiB, garbage included`);
  await resolver.close();
  return bytes <= maxBytes;
}

async function warm(resolver: SniResolver, names: readonly string[]): Promise<number> {
  const start = performance.now();
  const ask = (name: string) => new Promise((done) => resolver.SNICallback(name, done));
  for (let at = 0; at < names.length; at += 50) await Promise.all(names.slice(at, at + 50).map(ask));
  return performance.now() - start;
}

function inWords(resolver: SniResolver): string {
  const { contexts, names, bytes } = resolver.stats();
  const rss = process.memoryUsage().rss / megabyte;
  return `${contexts} contexts, ${names} names, ${(bytes / megabyte).toFixed(1)} MiB as counted; process ${rss.toFixed(0)} MiB`;
}

async function listen(options: TlsOptions): Promise<{ port: number; stop(): Promise<unknown> }> {
  const server = createServer(options, (socket) => socket.on('error', () => {}));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, stop: () => new Promise((resolve) => server.close(resolve)) };
}
