/** `npm run demo`: the main job, from nothing to served and renewed certificates, with real parts on this machine. */

import { join } from 'node:path';
import { main } from '../support/agent.ts';
import { lookAt, type Served, startHttpsSite } from '../support/https-site.ts';
import { startProcess, until } from '../support/process.ts';
import { openRun } from '../support/run-folder.ts';
import { broken, createWorld, healthy, type World } from './world.ts';

const keep = process.argv.includes('--keep');
const finishedWithFailures = 5;
const say = (text: string) => process.stdout.write(`${text}\n`);

// From here on a signal ends everything that was started.
openRun();
const world = await createWorld();
let agent: Awaited<ReturnType<typeof world.site.start>> | undefined;
let https: Awaited<ReturnType<typeof startHttpsSite>> | undefined;
try {
  https = await startHttpsSite((name) => folderOf(world, name));
  await story(world, https.port);
  if (keep) await untilInterrupted();
} catch (error) {
  process.exitCode = 1;
  say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  if (agent !== undefined) say(agent.output().slice(-6000));
} finally {
  await agent?.stop(20_000);
  await https?.close();
  await world.stop();
}

async function story({ pebble, site, redis, mails }: World, port: number): Promise<void> {
  const root = await pebble.rootPem();
  const look = (name: string) => lookAt(port, name, root);

  say(
    `1. Starting the agent: one process, with ${redis === undefined ? 'its own Redis' : 'the Redis given by URL'}`,
  );
  agent = await site.start();

  say('2. Waiting for certificates: one host by HTTP-01, an apex with its wildcard by DNS-01');
  await until(
    'all healthy names are trusted',
    async () => (await Promise.all(healthy.map(look))).every(isTrusted),
    40_000,
  );
  const first = await seen(healthy, look);
  for (const name of healthy) say(`   ${name.padEnd(16)} ${describe(first.get(name))}`);

  say(`3. ${broken} cannot be validated: it is served with its self-signed fallback, and a person is told`);
  await until('the fallback is served', async () => /self-signed/i.test((await look(broken)).issuer), 20_000);
  say(`   ${broken.padEnd(16)} ${describe(await look(broken))}`);
  await until('the mail arrives', () => mails.length > 0, 30_000);
  say(indent(textOf(mails[0] ?? '')));

  say('4. Renewing everything while a client keeps connecting');
  const watch = watchNames(healthy, look);
  await renewAll(site.configFile);
  await until('new serial numbers are served', async () => changed(first, await seen(healthy, look)), 20_000);
  const { handshakes, faults } = await watch.stop();
  if (faults.length > 0) throw new Error(`the client met a gap: ${faults.join('; ')}`);
  for (const [name, served] of await seen(healthy, look)) say(`   ${name.padEnd(16)} ${describe(served)}`);
  say(`   ${handshakes} handshakes meanwhile, every one trusted`);

  say('5. What the agent holds');
  say((await site.run('certs', 'list')).stdout);
  say(
    keep
      ? `The agent goes on (Ctrl-C ends it). Ask it: npx acme-agent --config ${site.configFile} why ${broken}`
      : 'Done.',
  );
}

function folderOf({ site }: World, servername: string): string {
  const [domain, label] = servername.endsWith('shop.test')
    ? ['shop.test', '_wildcard.shop.test']
    : [servername.slice(4), servername];
  return join(site.folder, 'certificates', domain, label);
}

async function seen(
  names: readonly string[],
  look: (name: string) => Promise<Served>,
): Promise<Map<string, Served>> {
  return new Map(await Promise.all(names.map(async (name) => [name, await look(name)] as const)));
}

function isTrusted({ refusal }: Served): boolean {
  return refusal === undefined;
}

function changed(before: ReadonlyMap<string, Served>, after: ReadonlyMap<string, Served>): boolean {
  return [...after].every(
    ([name, served]) => isTrusted(served) && served.serial !== before.get(name)?.serial,
  );
}

function describe(served: Served | undefined): string {
  if (served === undefined) return 'nothing';
  return `serial ${served.serial}, ${served.refusal === undefined ? 'trusted' : `not trusted (${served.refusal})`}, by ${served.issuer}`;
}

function watchNames(names: readonly string[], look: (name: string) => Promise<Served>) {
  let on = true;
  let handshakes = 0;
  const faults: string[] = [];
  const loops = names.map(async (name) => {
    while (on) {
      const fault = await look(name).then(({ refusal }) => refusal, String);
      handshakes++;
      if (fault !== undefined) faults.push(`${name}: ${fault}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  const stop = async () => {
    on = false;
    await Promise.all(loops);
    return { handshakes, faults };
  };
  return { stop };
}

/** The command as a person runs it, its progress on this terminal. One name cannot be renewed, and its exit code says so. */
async function renewAll(configFile: string): Promise<void> {
  const command = [process.execPath, main, '--config', configFile, 'renew-all', '--force', '--wait'];
  const { code } = await (await startProcess({ name: 'renew-all', command, onTerminal: true })).exited;
  if (code !== finishedWithFailures) throw new Error(`renew-all ended with exit code ${code}`);
}

/** The readable part of a mail. */
function textOf(raw: string): string {
  const mail = raw.replaceAll('\r\n', '\n');
  const subject = /^Subject: (.*(?:\n[ \t].*)*)/m.exec(mail)?.[1] ?? '';
  const [, body = ''] = /Content-Type: text\/plain[\s\S]*?\n\n([\s\S]*?)\n--/.exec(mail) ?? [];
  const text = body
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return `Subject: ${subject.replace(/\n\s+/g, ' ')}\n${text.trim()}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '   | ');
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
