import { lookup, resolveTxt } from 'node:dns/promises';
import { tmpdir } from 'node:os';
import { createRunChild } from '../../src/child.ts';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/core/ports.ts';
import { createHttp } from '../../src/http.ts';
import { createLog } from '../../src/log.ts';
import type { PluginContext } from '../../src/plugin/context.ts';

export interface TestContext extends PluginContext {
  /** Lines logged so far. */
  readonly logged: readonly string[];
}

/** What the agent gives a plugin, with real parts; loopback counts as public. */
export function createPluginContext(name: string, clock: Clock = systemClock): TestContext {
  const logged: string[] = [];
  const state = new Map<string, string>();
  const log = createLog({ level: 'debug', destination: { write: (line) => logged.push(line) } });
  const [path, home] = [process.env.PATH ?? '', tmpdir()];
  return {
    name,
    logged,
    http: createHttp({ allowPrivate: ['127.0.0.0/8'], clock, userAgent: 'acme-agent-test' }),
    run: createRunChild({ clock, log, path, home, tmpdir: tmpdir() }),
    state: {
      get: (key) => Promise.resolve(state.get(key)),
      async set(key, value) {
        state.set(key, value);
      },
    },
    resolver: {
      addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
      txt: async (host) => (await resolveTxt(host)).map((strings) => strings.join('')),
    },
    clock,
    log,
  };
}

/** Pauses are a twentieth as long. Deadlines come sooner only so far that a busy machine still meets them. */
export const hastyClock: Clock = {
  now: systemClock.now,
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
  after: (ms, run) => systemClock.after(ms / 4, run),
};
