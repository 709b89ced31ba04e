import { describe, expect, it, onTestFinished } from 'vitest';
import { inwx } from '../../providers/inwx.ts';
import { totpCode } from '../../providers/totp.ts';
import { systemClock } from '../../src/clock.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { createInwxFront, password, sharedSecret, username } from '../support/vendors/inwx.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };

describeVendor({
  definition: inwx,
  front: createInwxFront(),
  options: { username, password },
  wrongOptions: { username, password: 'wrong-password' },
  zoneRef: ({ name }) => ({ name }),
});

describe('a login at INWX', () => {
  /** A clock that a pause moves on at once; each look at it is a moment later. */
  function createLeapingClock() {
    let at = 1_760_000_000_000;
    return {
      ...systemClock,
      now: () => ++at,
      async sleep(ms: number) {
        at += ms;
      },
    };
  }

  async function start(options: object) {
    const clock = createLeapingClock();
    const front = createInwxFront({ twoFactor: true, now: clock.now });
    const server = await startVendor(front, {});
    onTestFinished(() => server.stop());
    const account = { definition: inwx, options: { username, password, ...options } };
    const open = () => providerAt(account, server, createPluginContext('inwx', clock));
    return { front, server, open };
  }

  it('proves the second factor with a code of the shared secret, once for all calls', async () => {
    const { front, server, open } = await start({ sharedSecret: sharedSecret.toLowerCase() });
    const provider = await open();
    await Promise.all([provider.check?.(signal), provider.listTxt?.(zone, undefined, signal)]);
    expect(front.usedCodes.size).toBe(1);
    // Login, code, and the two calls.
    expect(server.calls).toHaveLength(4);
  });

  it('waits for the next code where another agent has used this one, and gives up after that', async () => {
    const { front, open } = await start({ sharedSecret });
    await (await open()).check?.(signal);
    await (await open()).check?.(signal);
    expect(front.usedCodes.size).toBe(2);
    const stranger = await start({ sharedSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' });
    await expect((await stranger.open()).check?.(signal)).rejects.toMatchObject({ code: 'provider.auth' });
    expect(stranger.server.calls).toHaveLength(3);
  });

  it('says what is missing where a second factor is asked for and none was given', async () => {
    const { open } = await start({});
    await expect((await open()).check?.(signal)).rejects.toMatchObject({
      code: 'provider.auth',
      message: /^INWX asks for a second factor; give .* "sharedSecret"/,
    });
  });

  it('is made once more when the session ended before its time', async () => {
    const { front, server, open } = await start({ sharedSecret });
    const provider = await open();
    await provider.check?.(signal);
    front.endSessions();
    await provider.check?.(signal);
    expect(server.calls).toHaveLength(3 + 5);
  });
});

it('makes codes as the table of RFC 6238, appendix B has them', () => {
  const table = [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const;
  for (const [seconds, code] of table)
    expect(totpCode('GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ', seconds * 1000)).toBe(code);
});

it('takes a shared secret, not a code', () => {
  const problem = (text: string) =>
    inwx.options.safeParse({ username, password, sharedSecret: text }).error?.issues[0]?.message;
  expect(problem('123456')).toBe('must be the shared secret in base32, not a code of six digits');
  expect(problem(sharedSecret)).toBeUndefined();
});
