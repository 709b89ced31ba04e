import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type {
  ChangeOutcome,
  DnsProvider,
  ProviderTraits,
  TxtChange,
  TxtRecord,
} from '../src/core/provider.ts';
import { query } from '../src/dns/wire.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { resolveServer, serverAddress } from './server-address.ts';

const options = z.strictObject({
  url: z.url().describe('Its management address, such as http://127.0.0.1:8055.'),
  dns: serverAddress.describe('Its DNS address, such as 127.0.0.1:8053; values are read back from there.'),
});

type Options = z.infer<typeof options>;

const timeoutMs = 5000;

const traits: ProviderTraits = {
  // It can append a value or drop all of a name: what is there is read first, and what must stay is put back.
  model: 'rrset-replace',
  serialize: 'name',
  batch: { maxChanges: 100, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 1 },
  propagation: { signal: 'delay', typicalMs: 0, timeoutMs: 10_000 },
};

export const challtestsrv = defineDnsProvider<Options>({
  name: 'challtestsrv',
  title: "Pebble's challenge test server (tests and demonstrations only)",
  docs: 'https://github.com/letsencrypt/pebble/tree/main/cmd/pebble-challtestsrv',
  options,
  traits,
  notes: ['It has no zones: each name counts as a zone of its own.', 'TTLs are not kept.'],
  create,
});

function create(config: Options, context: PluginContext): DnsProvider {
  async function post(verb: 'set-txt' | 'clear-txt', body: object, signal: AbortSignal): Promise<void> {
    const url = `${config.url.replace(/\/$/, '')}/${verb}`;
    const request = { method: 'POST', body: JSON.stringify(body), timeoutMs, signal };
    const answer = await context.http.request(url, request).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : unreachable(url, error);
    });
    if (answer.status === 200) return;
    throw new AgentError(
      'provider.invalid',
      `challtestsrv answers ${answer.status} to ${url}: ${answer.text().slice(0, 200)}`,
    );
  }

  /** It takes text as zone files write it. */
  function append(name: string, value: string, signal: AbortSignal): Promise<void> {
    return post('set-txt', { host: `${name}.`, value: value.replaceAll('\\', '\\\\') }, signal);
  }

  async function read(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const server = await resolveServer(config.dns, context, signal);
    const reply = await query(server, { name, type: 'TXT' }, { clock: context.clock, signal, timeoutMs });
    return reply.answers.flatMap((record) =>
      record.type === 'TXT' && record.name === name ? [record.value] : [],
    );
  }

  async function change({ op, name, value }: TxtChange, signal: AbortSignal): Promise<ChangeOutcome> {
    const present = await read(name, signal);
    if (op === 'add') {
      if (!present.includes(value)) await append(name, value, signal);
      return { ok: true };
    }
    if (!present.includes(value)) return { ok: true };
    await post('clear-txt', { host: `${name}.` }, signal);
    const others = new Set(present.filter((other) => other !== value));
    for (const other of others) await append(name, other, signal);
    return { ok: true };
  }

  return {
    traits,
    findZone: (name) => Promise.resolve({ name }),
    async apply(_zone, changes, signal) {
      const outcomes: ChangeOutcome[] = [];
      for (const one of changes) outcomes.push(await change(one, signal));
      return { outcomes };
    },
    async listTxt(zone, names, signal) {
      const records: TxtRecord[] = [];
      for (const name of names ?? [zone.name]) {
        for (const value of await read(name, signal)) records.push({ name, value });
      }
      return records;
    },
    async check(signal) {
      await read('check.invalid', signal);
    },
  };
}

function unreachable(url: string, cause: unknown): AgentError {
  return new AgentError('provider.unavailable', `challtestsrv does not answer at ${url}`, { cause });
}
