import { expect, it } from 'vitest';
import { createAgreement } from '../../src/agent/agreement.ts';
import type { LoadedConfig } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { AgentError } from '../../src/core/errors.ts';
import { createManualClock } from '../deploy/fixture.ts';
import { createMemoryLog } from '../support/memory.ts';
import { until } from '../support/process.ts';
import { configText, writeConfig } from './given.ts';

/** An agent whose store says what `others` holds, with what it does as it happens. */
async function given() {
  const clock = createManualClock();
  const log = createMemoryLog();
  const done: string[] = [];
  const state = { others: 0, away: false, adoptFails: false };
  const nameOf = ({ domains }: LoadedConfig) => domains[0]?.domain.name ?? '';
  const agreement = createAgreement({
    announce: async (hash) => {
      if (state.away) throw new AgentError('store.unavailable', 'connection refused');
      done.push(`say ${names.get(hash)}`);
      return Array.from({ length: state.others }, (_, index) => ({ id: `other-${index}`, hash: 'x' }));
    },
    adopt: async (loaded) => {
      if (state.adoptFails) throw new AgentError('store.unavailable', 'connection refused');
      done.push(`adopt ${nameOf(loaded)}`);
    },
    work: {
      begin: async () => void done.push('begin'),
      rest: async () => void done.push('rest'),
    },
    clock,
    log,
  });
  const [one, two] = await Promise.all([load('one.test'), load('two.test')]);
  const names = new Map([one, two].map((loaded) => [loaded.sharedHash, nameOf(loaded)]));
  const says = () => done.filter((step) => step.startsWith('say')).length;
  const look = async () => {
    const before = done.length;
    await until('the next look is planned', () => clock.pending === 1);
    clock.advance(10_000);
    await until('the look is over', () => clock.pending === 1);
    return done.slice(before);
  };
  return { agreement, one, two, state, done, says, look, log, clock };
}

function load(domain: string): Promise<LoadedConfig> {
  return loadConfig(writeConfig(configText(domain)), {});
}

it('brings the store in line with the file before it works, once', async () => {
  const { agreement, one, done, look } = await given();
  await agreement.enter(one);
  expect(done).toEqual(['say one.test', 'adopt one.test', 'begin']);
  expect(await look()).toEqual(['say one.test']);
  await agreement.stop();
});

it('does nothing while others have another configuration, says so once, and goes on by itself', async () => {
  const { agreement, one, state, done, look, log } = await given();
  state.others = 1;
  await agreement.enter(one);
  expect(await look()).toEqual(['say one.test']);
  expect(done).toEqual(['say one.test', 'say one.test']);
  expect(log.lines.filter((line) => line.startsWith('error other agents on this store'))).toHaveLength(1);
  state.others = 0;
  expect(await look()).toEqual(['say one.test', 'adopt one.test', 'begin']);
  await agreement.stop();
});

it('lays its work down before it uses a configuration that others do not have', async () => {
  const { agreement, one, two, state, done, look } = await given();
  await agreement.enter(one);
  done.length = 0;
  state.others = 1;
  await agreement.change(two, () => done.push('use'));
  expect(done).toEqual(['say two.test', 'rest', 'use']);
  state.others = 0;
  expect(await look()).toEqual(['say two.test', 'adopt two.test', 'begin']);
  await agreement.stop();
});

it('works on while it goes over to a configuration that counts', async () => {
  const { agreement, one, two, done } = await given();
  await agreement.enter(one);
  done.length = 0;
  await agreement.change(two, () => done.push('use'));
  expect(done).toEqual(['say two.test', 'use', 'adopt two.test']);
  await agreement.stop();
});

it('lays its work down when others came to count meanwhile', async () => {
  const { agreement, one, state, look } = await given();
  await agreement.enter(one);
  state.others = 1;
  expect(await look()).toEqual(['say one.test', 'rest']);
  expect(await look()).toEqual(['say one.test']);
  state.others = 0;
  expect(await look()).toEqual(['say one.test', 'begin']);
  await agreement.stop();
});

it('changes nothing when the store does not answer', async () => {
  const { agreement, one, two, state, done, look } = await given();
  await agreement.enter(one);
  done.length = 0;
  state.away = true;
  await expect(agreement.change(two, () => done.push('use'))).rejects.toMatchObject({
    code: 'store.unavailable',
  });
  expect(await look()).toEqual([]);
  state.away = false;
  expect(await look()).toEqual(['say one.test']);
  await agreement.stop();
});

it('tries again to bring the store in line with a new file', async () => {
  const { agreement, one, two, state, done, look } = await given();
  await agreement.enter(one);
  state.adoptFails = true;
  await agreement.change(two, () => done.push('use'));
  state.adoptFails = false;
  expect(await look()).toEqual(['say two.test', 'adopt two.test']);
  await agreement.stop();
});

it('looks no more once it was stopped', async () => {
  const { agreement, one, clock, says } = await given();
  await agreement.enter(one);
  await agreement.stop();
  clock.advance(60_000);
  expect(clock.pending).toBe(0);
  expect(says()).toBe(1);
});
