import { expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

async function load(more: string) {
  return (await write(`${issuers}${more}`)).load();
}

test('metrics are answered where the file says, and nowhere without it', async () => {
  expect((await load('')).config.metrics).toBeUndefined();
  const { config } = await load('metrics: { listen: "127.0.0.1:9464" }\n');
  expect(config.metrics).toEqual({ host: '127.0.0.1', port: 9464 });
  expect((await load('metrics: { listen: "[::1]:9464" }\n')).config.metrics).toEqual({
    host: '::1',
    port: 9464,
  });
});

test.each(['0.0.0.0:9464', '192.0.2.7:9464', '[::]:9464', 'localhost:9464'])(
  'metrics are not answered at %s: whoever reaches it could read them',
  async (place) => {
    expect(await mistakesOf(`${issuers}metrics: { listen: "${place}" }\n`)).toEqual([
      '2: metrics.listen: must be a loopback address with a port, like 127.0.0.1:9464: whoever reaches it can read it',
    ]);
  },
);

test('agents may be read at different ports and still agree', async () => {
  const [one, other] = await Promise.all([load(''), load('metrics: { listen: "127.0.0.1:9465" }\n')]);
  expect(one.sharedHash).toBe(other.sharedHash);
});
