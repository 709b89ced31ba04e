import { describe, expect, it } from 'vitest';
import {
  accountDeactivate,
  accountList,
  accountRollover,
  accountShow,
} from '../../src/operations/accounts.ts';
import { generateKey } from '../../src/x509/key.ts';
import { bench, start, useBench } from './fixture.ts';

useBench();

const url = 'https://ca.test/account/7';

async function hold(more: object = {}): Promise<void> {
  await bench.needs.accounts.put({
    issuer: 'letsencrypt',
    directoryUrl: 'https://ca.test/directory',
    url,
    key: await generateKey('p256'),
    contacts: ['mailto:a@example.com'],
    createdAt: start,
    ...more,
  });
}

describe('accounts', () => {
  it('are listed for every issuer, and never with a key', async () => {
    await hold();
    const answer = await bench.run(accountList, {});
    expect(answer.accounts).toEqual([
      {
        issuer: 'letsencrypt',
        state: 'ok',
        directoryUrl: 'https://ca.test/directory',
        url,
        contacts: ['mailto:a@example.com'],
        createdAt: start,
        thumbprint: expect.stringMatching(/^[\w-]{43}$/),
      },
      { issuer: 'zerossl', state: 'none', contacts: [] },
    ]);
  });

  const states: readonly (readonly [
    string,
    { isRolling?: boolean; url?: undefined; deactivatedAt?: number },
  ])[] = [
    ['registering', { url: undefined }],
    ['changing-key', { isRolling: true }],
    ['deactivated', { deactivatedAt: start }],
  ];

  it.each(states)('that are %s are shown as such', async (state, { isRolling, ...more }) => {
    await hold({ ...more, ...(isRolling === true ? { nextKey: await generateKey('p256') } : {}) });
    const { account } = await bench.run(accountShow, { issuer: 'letsencrypt' });
    expect(account.state).toBe(state);
    expect(account).not.toHaveProperty('nextKey');
  });

  it('of an issuer that the file does not define are not found', async () => {
    await expect(bench.run(accountShow, { issuer: 'other' })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    await expect(bench.run(accountRollover, { issuer: 'other' })).rejects.toMatchObject({
      code: 'command.notFound',
    });
  });

  it('get another key, with a trail of who asked', async () => {
    await hold();
    const before = await bench.run(accountShow, { issuer: 'letsencrypt' });
    const after = await bench.run(accountRollover, { issuer: 'letsencrypt' }, { requestedBy: 'ann' });
    expect(after.account.thumbprint).not.toBe(before.account.thumbprint);
    expect((await bench.events('command.done')).map(({ facts }) => facts)).toEqual([
      {
        operation: 'account.rollover',
        issuer: 'letsencrypt',
        account: url,
        thumbprint: after.account.thumbprint,
        requestedBy: 'ann',
      },
    ]);
  });

  it('are closed only when the name of the issuer is given twice', async () => {
    await hold();
    for (const confirm of [undefined, 'zerossl'])
      await expect(bench.run(accountDeactivate, { issuer: 'letsencrypt', confirm })).rejects.toMatchObject({
        code: 'command.invalid',
        message: expect.stringContaining('--confirm letsencrypt'),
      });
    expect((await bench.run(accountShow, { issuer: 'letsencrypt' })).account.state).toBe('ok');
    const confirmed = { issuer: 'letsencrypt', confirm: 'letsencrypt' };
    expect((await bench.run(accountDeactivate, confirmed)).account.state).toBe('deactivated');
  });

  it('keep both keys of a change under way, sealed', async () => {
    const [key, nextKey] = [await generateKey('p256'), await generateKey('rsa2048')];
    await hold({ key, nextKey });
    const read = await bench.needs.accounts.get('letsencrypt');
    expect([read?.key.reveal(), read?.nextKey?.reveal()].map((one) => Buffer.from(one ?? []))).toEqual([
      Buffer.from(key.reveal()),
      Buffer.from(nextKey.reveal()),
    ]);
  });
});
