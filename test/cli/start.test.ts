import { afterEach, expect, test } from 'vitest';
import type { RunningAgent } from '../../src/agent.ts';
import type { LoadedConfig } from '../../src/config/config.ts';
import { AgentError } from '../../src/core/errors.ts';
import { until } from '../support/process.ts';
import { cli, type Script } from './fixture.ts';

const events: string[] = [];
const handlers = new Map<string, () => void>();

afterEach(() => {
  events.length = 0;
  handlers.clear();
});

const onSignal: Script['onSignal'] = (signal, run) => {
  handlers.set(signal, run);
  return () => handlers.delete(signal);
};

const send = (signal: NodeJS.Signals) => handlers.get(signal)?.();
const seen = (event: string) => until(event, () => events.includes(event));

function agentThat(more: Partial<RunningAgent> = {}, options: unknown[] = []) {
  const running: RunningAgent = {
    reload: async () => void events.push('reloaded'),
    stop: async () => void events.push('stopped'),
    ...more,
  };
  return {
    startAgent: async (_: unknown, given: unknown) => {
      options.push(given);
      events.push('started');
      return running;
    },
  };
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops the agent in order and ends with 0', async (signal) => {
  const options: unknown[] = [];
  const run = cli(['start', '--roles', 'worker,edge', '--accept-empty-store'], {
    agent: agentThat({}, options),
    onSignal,
  });
  await seen('started');
  send(signal);
  expect((await run).code).toBe(0);
  expect(events).toEqual(['started', 'stopped']);
  expect(options).toEqual([{ roles: ['worker', 'edge'], acceptEmptyStore: true }]);
  expect(handlers.size).toBe(0);
});

test('a signal that comes while the agent starts is not lost', async () => {
  const agent = agentThat();
  const startAgent = async (loaded: unknown, options: unknown) => {
    send('SIGHUP');
    send('SIGTERM');
    return agent.startAgent(loaded, options);
  };
  expect((await cli(['start'], { agent: { startAgent }, onSignal })).code).toBe(0);
  expect(events).toEqual(['started', 'reloaded', 'stopped']);
});

test('SIGHUP reads the file again, once for each signal', async () => {
  const run = cli(['start'], { agent: agentThat(), onSignal });
  await seen('started');
  send('SIGHUP');
  await seen('reloaded');
  send('SIGTERM');
  await run;
  expect(events.filter((event) => event === 'reloaded')).toHaveLength(1);
});

test('SIGHUP hands the agent what reads the file that it was started with', async () => {
  const read: unknown[] = [];
  const reload: RunningAgent['reload'] = async (load) => {
    read.push((await load()).path);
    events.push('reloaded');
  };
  const { startAgent } = agentThat({ reload });
  const agent = {
    startAgent: (loaded: LoadedConfig, options: unknown) => {
      read.push(loaded.path);
      return startAgent(loaded, options);
    },
  };
  const run = cli(['start'], { agent, onSignal });
  await seen('started');
  send('SIGHUP');
  await seen('reloaded');
  send('SIGTERM');
  expect(await run).toMatchObject({ code: 0, stderr: '' });
  expect(read).toEqual([read[0], read[0]]);
});

test('a second signal does not wait for the orderly end', async () => {
  const stop = () => {
    events.push('stopping');
    return new Promise<void>(() => {});
  };
  const run = cli(['start'], { agent: agentThat({ stop }), onSignal });
  await seen('started');
  send('SIGTERM');
  await seen('stopping');
  send('SIGTERM');
  expect((await run).code).toBe(1);
});

test('an agent that cannot start says why', async () => {
  const startAgent = async () => {
    throw new AgentError('config.port', 'port 80 is taken');
  };
  const { code, stderr } = await cli(['start'], { agent: { startAgent }, onSignal });
  expect(code).toBe(2);
  expect(stderr).toBe(
    'acme-agent: port 80 is taken. Free the port or choose another one in the configuration.\n',
  );
});
