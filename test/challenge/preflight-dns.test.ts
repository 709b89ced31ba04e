import { createSocket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import { closing, dns, look, looker, useLooks, type Wanted } from './looks.ts';

useLooks();

describe('CAA records', () => {
  const caa = async (name: string, wanted: Wanted = {}) => {
    const findings = await look(name, { challenge: 'dns-01', ...wanted });
    return findings.map(({ level, message }) => [level, message] as const);
  };

  test('that exclude the CA stop an order, with the record to paste', async () => {
    await dns.addCaa('strict.test', [{ tag: 'issue', value: 'other.test' }]);
    expect(await caa('www.strict.test')).toEqual([
      [
        'stop',
        'The CAA records of strict.test allow only other.test. To allow it, add: strict.test. IN CAA 0 issue "ca.test; accounturi=https://ca.test/account/1"',
      ],
    ]);
  });

  test('that were mended are seen at the next look', async () => {
    const again = await looker({ challenge: 'dns-01' });
    await dns.addCaa('mended.test', [{ tag: 'issue', value: 'other.test' }]);
    expect(await again('www.mended.test')).toMatchObject([{ level: 'stop' }]);
    await dns.addCaa('mended.test', [{ tag: 'issue', value: 'ca.test' }]);
    expect(await again('www.mended.test')).toMatchObject([
      { level: 'fine', message: 'The CAA records of mended.test allow ca.' },
    ]);
  });

  test('that are missing let everybody; the record for us alone is named', async () => {
    expect(await caa('*.free.test')).toEqual([
      [
        'fine',
        'No CAA record restricts who may issue for *.free.test. To allow this account alone, add: free.test. IN CAA 0 issue "ca.test; accounturi=https://ca.test/account/1"',
      ],
    ]);
  });
});

test('a DNS that is silent costs five seconds, and warns', async () => {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  closing.push(() => socket.close());
  const server = `127.0.0.1:${socket.address().port}`;
  const startedAt = Date.now();
  const findings = await look('www.silent.test', { server });
  expect(findings.map(({ level }) => level)).not.toContain('stop');
  expect(findings.map(({ level }) => level)).toContain('warning');
  expect(Date.now() - startedAt).toBeLessThan(20_000);
});

test('whoever asks may stop waiting', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(look('www.any.test', { signal })).rejects.toThrow('enough');
});
