import { expect, it, onTestFinished } from 'vitest';
import { createMetricsListener } from '../../src/edge/metrics.ts';
import { address, ask, quiet } from './port80-kit.ts';

async function start(text: () => Promise<string>) {
  const listener = createMetricsListener({ port: 0, address }, { text, log: quiet });
  onTestFinished(() => listener.close());
  return { listener, ...(await listener.listen()) };
}

it('answers GET /metrics with the numbers, and everything else with 404', async () => {
  const { port } = await start(async () => 'acme_agent_info 1\n');
  const answer = await ask(port, '/metrics?x=1');
  expect(answer).toMatchObject({ status: 200, body: 'acme_agent_info 1\n' });
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  for (const path of ['/', '/metrics/', '/metricsx', '/.well-known/acme-challenge/x'])
    expect(await ask(port, path)).toMatchObject({ status: 404 });
  expect(await ask(port, '/metrics', { method: 'POST' })).toMatchObject({ status: 404 });
});

it('answers 503 when the numbers cannot be read, and goes on', async () => {
  let isAway = true;
  const { port } = await start(async () => {
    if (isAway) throw new Error('away');
    return 'ok\n';
  });
  expect(await ask(port, '/metrics')).toMatchObject({ status: 503 });
  isAway = false;
  expect(await ask(port, '/metrics')).toMatchObject({ status: 200, body: 'ok\n' });
});

it('says which key of the configuration to change when it cannot have the port', async () => {
  const { port } = await start(async () => '');
  const second = createMetricsListener({ port, address }, { text: async () => '', log: quiet });
  await expect(second.listen()).rejects.toMatchObject({
    code: 'config.port',
    message: expect.stringContaining('choose another port for "metrics"'),
  });
});
