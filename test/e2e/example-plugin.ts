/**
 * What a plugin of somebody else looks like: it knows the package export only. `plugin.test.ts` compiles and packs it.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AgentError,
  type DeployRequest,
  defineDeployTarget,
  defineDnsProvider,
  defineNotifier,
  type ProviderTraits,
  type Secret,
  secretText,
  type TxtChange,
} from 'acme-agent/plugin';
import { z } from 'zod';

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'zone',
  batch: { maxChanges: 1, atomic: true },
  maxValuesPerName: 10,
  removeIsExact: false,
  rate: [{ bucket: 'calls', perSecond: 50, burst: 50, costOf: 'call' }],
  ttl: { min: 1, preferred: 60 },
  propagation: { signal: 'delay', typicalMs: 0, timeoutMs: 10_000 },
};

/** One value a name: enough for the test server, whose names are forgotten as a whole. */
export const exampleDns = defineDnsProvider<{ readonly api: string }>({
  name: 'example-dns',
  title: 'Example DNS',
  options: z.strictObject({ api: z.url().describe('Management address.') }),
  traits,
  create: ({ api }, { http }) => {
    async function carryOut({ op, name, value }: TxtChange, signal: AbortSignal): Promise<void> {
      const verb = op === 'add' ? 'set-txt' : 'clear-txt';
      const body = JSON.stringify({ host: `${name}.`, ...(op === 'add' && { value }) });
      const { status } = await http.request(`${api}/${verb}`, { method: 'POST', body, signal });
      if (status !== 200) throw new AgentError('provider.unavailable', `Example DNS answers ${status}`);
    }
    return {
      traits,
      findZone: async (name) => (name.endsWith('zone.test') ? { name: 'zone.test' } : undefined),
      apply: async (_zone, changes, signal) => {
        for (const change of changes) await carryOut(change, signal);
        return { outcomes: changes.map(() => ({ ok: true })) };
      },
    };
  },
});

/** Keeps the fingerprint of each certificate in a file. */
export const exampleTarget = defineDeployTarget<{ readonly folder: string }>({
  name: 'example-target',
  title: 'Example target',
  options: z.strictObject({ folder: z.string() }),
  create: ({ folder }, { name, log }) => {
    const fileOf = ({ domain, label }: DeployRequest['slot']) =>
      join(folder, `${domain} ${label.replace('*', '_wildcard')}`);
    const observe = async (slot: DeployRequest['slot']) =>
      (await readFile(fileOf(slot), 'utf8').catch(() => undefined))?.split(' ')[0];
    return {
      name,
      observe,
      async deploy({ bundle, slot }) {
        const { fingerprint, source, names } = bundle.certificate;
        await mkdir(folder, { recursive: true });
        await writeFile(fileOf(slot), [fingerprint, source, ...names].join(' '));
        log.info({ slot }, 'example target written');
        return { observed: (await observe(slot)) ?? '' };
      },
    };
  },
});

interface NotifierOptions {
  readonly file: string;
  readonly token: Secret<string>;
}

/** Appends one line of JSON a notice. */
export const exampleNotifier = defineNotifier<NotifierOptions>({
  name: 'example-notifier',
  title: 'Example notifier',
  options: z.strictObject({ file: z.string(), token: secretText() }),
  create: ({ file, token }, { name }) => ({
    name,
    digest: false,
    async send(notices) {
      const lines = notices.map(({ kind, names, message }) =>
        JSON.stringify({ kind, names, message, tokenLength: token.reveal().length }),
      );
      await writeFile(file, `${lines.join('\n')}\n`, { flag: 'a' });
    },
  }),
});
