import { beforeEach, describe, expect, test } from 'vitest';
import type { Operation } from '../../src/operations/define.ts';
import { domainsAdd, domainsRemove } from '../../src/operations/domains.ts';
import { hostsAdd, hostsRemove } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, useBench } from './fixture.ts';

useBench();

const repeat = { isRepeat: true };

beforeEach(async () => {
  await bench.run(domainsAdd, { name: 'example.com' });
});

/** The first run is cut off between its write and its answer. */
async function expectSameTwice<Input, Output>(
  operation: Operation<Input, Output>,
  input: object,
): Promise<void> {
  const answer = await bench.run(operation, input);
  const events = (await bench.needs.events.recent(100)).length;
  expect(await bench.run(operation, input, repeat)).toEqual(answer);
  expect(await bench.needs.events.recent(100)).toHaveLength(events);
  await expect(bench.run(operation, input)).rejects.toMatchObject({
    code: expect.stringMatching(/^command\.(conflict|notFound)$/),
  });
}

describe('a command whose first run was cut off answers as that one would have', () => {
  test('hosts add', () => expectSameTwice(hostsAdd, { names: ['a.example.com', 'b.example.com'] }));

  test('hosts add, of which only a part was done', async () => {
    await bench.run(domainsAdd, { name: 'example.org' });
    await bench.run(hostsAdd, { names: ['a.example.com'] });
    const names = ['a.example.com', 'a.example.org'];
    expect(await bench.run(hostsAdd, { names }, repeat)).toMatchObject({ added: names });
    expect((await bench.needs.wishes.host('a.example.org'))?.domain).toBe('example.org');
  });

  test('hosts remove', async () => {
    await bench.run(hostsAdd, { names: ['a.example.com', 'b.example.com'] });
    await bench.run(issue, { names: ['b.example.com', 'c.example.com'] });
    await expectSameTwice(hostsRemove, { names: ['a.example.com', 'b.example.com'] });
  });

  test('domains add', () =>
    expectSameTwice(domainsAdd, { name: 'example.org', hosts: ['a.example.org'], issuers: ['zerossl'] }));

  test('domains remove', async () => {
    await bench.run(hostsAdd, { names: ['a.example.com'] });
    await expectSameTwice(domainsRemove, { name: 'example.com', force: true });
  });
});

describe('a command whose first run was cut off is refused all the same', () => {
  const conflict = { code: 'command.conflict' };

  test('where the domain is there otherwise than it asks for', async () => {
    const other = bench.run(domainsAdd, { name: 'example.com', mode: 'custom' }, repeat);
    await expect(other).rejects.toMatchObject(conflict);
  });

  test('where the host is in another domain', async () => {
    await bench.run(hostsAdd, { names: ['a.eu.example.com'] });
    await bench.run(domainsAdd, { name: 'eu.example.com' });
    const other = bench.run(hostsAdd, { names: ['a.eu.example.com'] }, repeat);
    await expect(other).rejects.toMatchObject(conflict);
  });
});
