import { expect, it, onTestFinished } from 'vitest';
import { type Configured, configure } from '../../src/agent/configured.ts';
import { createReload, type ReloadNeeds } from '../../src/agent/reload.ts';
import { createStoreless } from '../../src/agent/storeless.ts';
import { systemClock } from '../../src/clock.ts';
import type { LoadedConfig } from '../../src/config/config.ts';
import { loadConfig, readEnvironment } from '../../src/config/load.ts';
import { AgentError } from '../../src/core/errors.ts';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { configText, writeConfig } from './given.ts';

const load = (text: string) => () => loadConfig(writeConfig(text), {});

/** An agent that runs with this configuration, whose store takes changes until it fails. */
async function running(text: string) {
  const lines: { level: string; msg: string; reasons?: string[] }[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  const log = createLog({ level: 'info', destination });
  const clock = systemClock;
  const metrics = createMetrics({ clock, log });
  const needs = { ...createStoreless(), metrics, clock, environment: readEnvironment(), log };
  const pluginState = () => ({ get: async () => undefined, set: async () => {} });
  const prepare = (loaded: LoadedConfig) => configure(loaded, { ...needs, pluginState });
  const started = await load(text)();
  const state: { current: Configured; fault?: Error } = { current: await prepare(started) };
  onTestFinished(() => state.current.close());
  const reloadNeeds: ReloadNeeds = {
    ports: {
      prepare,
      configured: () => state.current,
      use: (next) => {
        state.current.close();
        state.current = next;
      },
    },
    agreement: {
      change: async (_, use) => {
        if (state.fault !== undefined) throw state.fault;
        use();
      },
    },
    work: { limit: () => {} },
    log,
  };
  const domain = () => state.current.loaded.domains[0]?.domain.name;
  return { reload: createReload(started, reloadNeeds), state, domain, lines };
}

it('a new file is taken, and said in one line', async () => {
  const { reload, domain, lines } = await running(configText('one.test'));
  await reload(load(configText('two.test')));
  expect(domain()).toBe('two.test');
  expect(lines).toMatchObject([{ level: 'info', msg: 'configuration reloaded', domains: 1 }]);
});

it('all mistakes of a broken file are one line of the log, and the old one stays', async () => {
  const { reload, domain, lines } = await running(configText('one.test'));
  await reload(load(configText('two.test', 'http01: yes\nisuers: {}\n')));
  expect(domain()).toBe('one.test');
  expect(lines).toMatchObject([
    {
      level: 'error',
      code: 'config.invalid',
      reasons: [
        expect.stringMatching(/^\/.*acme-agent\.yaml:\d+: /),
        expect.stringMatching(/^\/.*acme-agent\.yaml:\d+: /),
      ],
      advice: expect.stringContaining('acme-agent check'),
      msg: 'the configuration was not read again; the old one stays',
    },
  ]);
  await reload(load(configText('two.test')));
  expect(domain()).toBe('two.test');
});

it('a store that is away leaves the old one in place', async () => {
  const { reload, state, domain, lines } = await running(configText('one.test'));
  state.fault = new AgentError('store.unavailable', 'connection refused');
  await reload(load(configText('two.test')));
  expect(domain()).toBe('one.test');
  expect(lines).toMatchObject([
    { level: 'error', code: 'store.unavailable', reasons: ['connection refused'] },
  ]);
});
