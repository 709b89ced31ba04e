import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentError, type ErrorCode, errorTable } from '../../src/core/errors.ts';
import { why } from '../../src/operations/why.ts';
import { noDnsCare } from '../support/no-dns-care.ts';
import { failing } from './gate.ts';
import { hour } from './given.ts';
import { type Case, cases, replaced, solved } from './why-cases.ts';
import { strictResolver } from './why-dns.ts';
import { startWiredWorlds, type WiredWorld, type WiredWorlds } from './wired-world.ts';

let worlds: WiredWorlds;
beforeAll(async () => {
  worlds = await startWiredWorlds();
});
afterAll(() => worlds?.stop());

const codes = Object.keys(errorTable) as ErrorCode[];
const met = codes.filter((code) => typeof cases[code] !== 'string');

test('every error of the table is met by some host below, or said to concern none', () => {
  expect(Object.keys(cases).toSorted()).toEqual(codes.toSorted());
  const families = new Set(met.map((code) => code.split('.')[0]));
  for (const family of ['acme', 'order', 'challenge', 'dns', 'provider', 'deploy'])
    expect(codes.filter((code) => code.startsWith(`${family}.`))).toEqual(
      met.filter((code) => code.startsWith(`${family}.`)),
    );
  expect(families.size).toBeGreaterThan(6);
  expect(met).toEqual(expect.arrayContaining(Object.keys(replaced)));
});

describe('why says of a host that meets', () => {
  test.each(met)('%s: the sentence, the remedy, and the next attempt', async (code) => {
    const given = cases[code];
    if (typeof given === 'string') throw new Error(given);
    const world = await worlds.open();
    await given.provoke(world);
    await world.want({ issuers: ['first'], ...given.wish });
    await untilMet(world, given);
    const lines = await linesOf(world);
    const at = lines.findIndex((line) => isSentence(line, given) && line.includes(given.says));
    expect(lines[at], lines.join('\n')).toBeDefined();
    expect(lines.slice(at).map((line) => line.trim())).toContain(`What to do: ${errorTable[code].advice}`);
    expect(await codeMet(world, given)).toBe(code);
    const isNext = given.isDeployment ? /^ {2}Next deployment: / : /^Next: /;
    const next = lines.filter((line) => isNext.test(line)).at(-1);
    expect(next, lines.join('\n')).toContain(given.next ?? usual(code, given));
  });
});

test('why has the remedy for what a resolver said, not the one for a resolver that is silent', async () => {
  const world = await worlds.open();
  await strictResolver(world);
  const given = solved(strictResolver, 'refuses to answer (REFUSED)');
  await world.want({ issuers: ['first'], ...given.wish });
  await untilMet(world, given);
  const lines = await linesOf(world);
  expect(lines.find((line) => isSentence(line, given))).toContain(given.says);
  expect(lines.join('\n')).toContain('What to do: That resolver does not serve this machine');
});

test('why and the notice say what is known beyond the table', async () => {
  const advice = 'Set "replaceDeactivatedAccount: true" at the issuer first.';
  const error = new AgentError('acme.account', 'the account at first is closed', { advice });
  const world = await worlds.open();
  world.gate.always('first.newOrder', failing(error));
  await world.want({ issuers: ['first'] });
  await world.live(hour);
  expect(await linesOf(world)).toContain(`What to do: ${advice}`);
  const notices = world.mail.messages.flatMap((message) => message.notices);
  expect(notices.find(({ kind }) => kind === 'failed')).toMatchObject({ advice });
});

/** The second attempt; deployments have failed twice by then, with the fallback and with the certificate. */
function usual(code: ErrorCode, { isDeployment = false }: Case): string {
  if (errorTable[code].retry === 'blocked') return '(in 24 hours)';
  return isDeployment ? '(in 10 minutes)' : '(in 1 minute)';
}

function isSentence(line: string, { isDeployment = false }: Case): boolean {
  return isDeployment
    ? /^ {2}\d+ deployments? failed, the last /.test(line)
    : line.startsWith('Last error, ');
}

/** Lives until the first failure, and no further. */
async function untilMet(world: WiredWorld, given: Case): Promise<void> {
  const end = world.clock.now() + 12 * hour;
  while ((await codeMet(world, given)) === undefined && world.clock.now() < end) {
    await world.work();
    const [next] = await world.store.due.next(Number.MAX_SAFE_INTEGER, 1);
    const waitMs = Math.max((next?.at ?? end) - world.clock.now(), 1000);
    if ((await codeMet(world, given)) === undefined) await world.pass(waitMs);
  }
}

async function answerOf(world: WiredWorld) {
  const { store, needs, settings, clock } = world;
  const unused = async () => {
    throw new Error('why changes no account');
  };
  const accountChanges = { rollover: unused, deactivate: unused };
  const issuerCertificates = { fetch: unused };
  const plain = {
    ...needs,
    ...store,
    accountChanges,
    issuerCertificates,
    dnsCare: noDnsCare(),
    dnsProviders: () => [],
    clock,
    settings: () => settings,
  };
  return why.run({ host: 'www.example.com' }, plain, {});
}

async function linesOf(world: WiredWorld): Promise<readonly string[]> {
  return (await answerOf(world)).lines;
}

async function codeMet(world: WiredWorld, { isDeployment = false }: Case): Promise<string | undefined> {
  const [certificate] = (await answerOf(world)).certificates;
  return isDeployment ? certificate?.targets[0]?.lastError?.code : certificate?.lastError?.code;
}
