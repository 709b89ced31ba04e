import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { HandedIn } from '../../src/core/types.ts';
import type { BindingList } from '../../src/operations/bindings.ts';
import type { CertificateList } from '../../src/operations/certs.ts';
import { canary } from '../support/canaries.ts';
import { testFolder } from '../support/run-folder.ts';
import { cli, day, now } from './fixture.ts';

const added = {
  id: 'cert-0011223344',
  domain: 'example.com',
  names: ['example.com', '*.example.com'],
  generation: 1,
  expiresAt: now + 89 * day,
  issuer: 'Test CA',
  keyType: 'p256',
  serial: '04ab',
  notes: ['The chain was put in order.'],
};

function files(contents: Readonly<Record<string, string>>): (name: string) => string {
  const folder = testFolder('cli-files');
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  return (name) => join(folder, name);
}

describe('certs add', () => {
  test('stages the files, and asks the agent with nothing but the id of that', async () => {
    const [password, key, cert, chain] = [canary(), canary(), canary(), canary()];
    const at = files({ cert, key, chain, password: `${password}\r\n` });
    const parts = ['--key', at('key'), '--chain', at('chain'), '--password-file', at('password')];
    const wish = ['--domain', 'example.com', '--name', 'www.example.com', '--replace', 'cert-1', '--force'];
    const { code, stdout, asked } = await cli(['certs', 'add', at('cert'), ...parts, ...wish], {
      answer: added,
    });
    expect(code).toBe(0);
    expect(asked.map(({ operation }) => operation)).toEqual(['stage', 'certs.add']);
    const staged = asked[0]?.input as HandedIn;
    const texts = [staged.certificate, staged.key, staged.chain].map((part) =>
      Buffer.from(part?.reveal() ?? []).toString(),
    );
    expect(texts).toEqual([cert, key, chain]);
    expect(staged.password?.reveal()).toBe(password);
    expect(asked[1]?.input).toEqual({
      staging: 'staged-1',
      domain: 'example.com',
      name: 'www.example.com',
      replace: 'cert-1',
      force: true,
    });
    expect(stdout).toBe(
      'cert-0011223344: generation 1, for example.com, *.example.com, valid until 2027-02-17 12:00:00 UTC\nThe chain was put in order.\n',
    );
  });

  test('V2 prints only the id with --quiet', async () => {
    const at = files({ cert: 'all of it' });
    const { stdout } = await cli(['certs', 'add', at('cert'), '-q'], { answer: added });
    expect(stdout).toBe('cert-0011223344\n');
  });

  test('says of one that is there already that nothing is new', async () => {
    const at = files({ cert: 'all of it' });
    const { stdout } = await cli(['certs', 'add', at('cert')], {
      answer: { ...added, notes: [], isOld: true },
    });
    expect(stdout).toContain('cert-0011223344: is there already, for');
  });

  test('asks nothing of the agent for a file that cannot be read, or is too big', async () => {
    const at = files({ big: 'x'.repeat(300_000) });
    const missing = await cli(['certs', 'add', at('missing')], { answer: added });
    expect(missing).toMatchObject({ code: 2, asked: [] });
    expect(missing.stderr).toContain(`${at('missing')} cannot be read (ENOENT).`);
    const big = await cli(['certs', 'add', at('big')], { answer: added });
    expect(big).toMatchObject({ code: 4, asked: [] });
    expect(big.stderr).toContain(
      'big has 300000 bytes; a certificate with its chain and key has at most 262144',
    );
  });

  test('stages nothing for options that cannot be right', async () => {
    const at = files({ cert: 'all of it' });
    const { code, stderr, asked } = await cli(['certs', 'add', at('cert'), '--domain', '*.example.com']);
    expect({ code, asked }).toEqual({ code: 2, asked: [] });
    expect(stderr).toContain('certs add: --domain: "*.example.com" is a wildcard');
  });

  test('takes no password on the command line, where every user of the machine sees it', async () => {
    const { code, stderr } = await cli(['certs', 'add', 'x', '--password', 'open']);
    expect(code).toBe(2);
    expect(stderr).toContain('unknown option');
  });

  test('D11 tells what the agent refused', async () => {
    const at = files({ cert: 'all of it' });
    const { code, stderr } = await cli(['certs', 'add', at('cert')], {
      answer: new AgentError('command.invalid', 'it expired at 2026-11-19T12:00:00.000Z'),
    });
    expect(code).toBe(4);
    expect(stderr).toBe('acme-agent: it expired at 2026-11-19T12:00:00.000Z.\n');
  });
});

describe('certs download', () => {
  test('hands over what was asked, and says what was written', async () => {
    const seen: unknown[] = [];
    const downloadFromAgent = async (_: unknown, options: unknown) => {
      seen.push(options);
      const certificate = { lineage: 'cert-1', serial: '04ab', notAfter: now + 89 * day } as never;
      return { certificate, files: ['/out/cert.pem', '/out/privkey.pem'] };
    };
    const line = ['certs', 'download', 'cert-1', '/out', '--generation', '2', '--force'];
    const { code, stdout, asked } = await cli(line, { agent: { downloadFromAgent } });
    expect({ code, asked }).toEqual({ code: 0, asked: [] });
    expect(seen).toEqual([{ id: 'cert-1', generation: 2, folder: '/out', force: true }]);
    expect(stdout).toBe(
      'wrote cert-1 (serial 04ab, valid until 2027-02-17 12:00:00 UTC) with its key into /out\n',
    );
    expect((await cli([...line, '-q'], { agent: { downloadFromAgent } })).stdout).toBe(
      '/out/cert.pem\n/out/privkey.pem\n',
    );
  });

  test('refuses a generation that is no number', async () => {
    const { code, stderr } = await cli(['certs', 'download', 'cert-1', '/out', '--generation', 'last']);
    expect(code).toBe(2);
    expect(stderr).toContain('It must be a whole number.');
  });
});

const row = {
  id: 'cert-1',
  domain: 'example.com',
  names: ['example.com', '*.example.com'],
  source: 'upload',
  state: 'ok',
  expiresAt: now + 59 * day,
  keyType: 'p256',
} as const;

describe('the listings', () => {
  test('V3 have ID, DOMAIN and EXPIRES, relative in both directions, and a dash where nothing is held', async () => {
    const certificates = [
      row,
      { ...row, id: 'cert-2', expiresAt: now - 3 * day, state: 'expired' as const },
      { ...row, id: 'example.com/new.example.com/ec', expiresAt: undefined, state: 'renewing' as const },
    ];
    const answer: CertificateList = { asOf: now, certificates };
    const { stdout } = await cli(['certs', 'list'], { answer });
    expect(stdout.split('\n')).toEqual([
      'ID                              DOMAIN       EXPIRES     ISSUER  STATE',
      'cert-1                          example.com  in 59 days  -       ok',
      'cert-2                          example.com  3 days ago  -       expired',
      'example.com/new.example.com/ec  example.com  -           -       renewing',
      '',
    ]);
  });

  test('D2 have Common Name and Expires in UTC for each name, and say when there is nothing', async () => {
    const answer: CertificateList = { asOf: now, certificates: [row], names: true };
    const { stdout, asked } = await cli(['certs', 'list', '--names', '--limit', '100'], { answer });
    expect(asked).toEqual([{ operation: 'certs.list', input: { names: true, limit: 100 } }]);
    expect(stdout).toBe(
      [
        'Common Name       Expires',
        '-----------       -------',
        'example.com       2027-01-18T12:00:00UTC',
        '*.example.com     2027-01-18T12:00:00UTC',
        '',
      ].join('\n'),
    );
    const empty = await cli(['certs', 'list', '--names'], { answer: { ...answer, certificates: [] } });
    expect(empty.stdout).toBe('No certs\n');
  });

  test('D2 tell where the next page begins', async () => {
    const answer: CertificateList = { asOf: now, certificates: [row], hasMore: true };
    const { stdout } = await cli(['certs', 'list', '--limit', '1'], { answer });
    expect(stdout).toContain('\nmore: --after cert-1\n');
  });

  test('V5 of what is bound have TARGET, CERTIFICATE, DOMAIN and EXPIRES', async () => {
    const binding = { certificates: ['cert-1'], domain: 'example.com', boundAt: now } as const;
    const answer: BindingList = {
      asOf: now,
      bindings: [
        { ...binding, name: '*.example.com', kind: 'name', expiresAt: now - day * 3, state: 'lapsed' },
        { ...binding, name: 'web:443', kind: 'endpoint', expiresAt: now + 59 * day, state: 'ok' },
      ],
    };
    const { stdout } = await cli(['bindings'], { answer });
    expect(stdout.split('\n')).toEqual([
      'TARGET         CERTIFICATE  DOMAIN       EXPIRES',
      '*.example.com  cert-1       example.com  3 days ago (LAPSED)',
      'web:443        cert-1       example.com  in 59 days',
      '',
    ]);
    expect((await cli(['bindings'], { answer: { asOf: now, bindings: [] } })).stdout).toBe(
      'nothing is bound\n',
    );
  });

  test('bind, unbind, rollback and remove say what was done', async () => {
    const binding = { name: 'web:443', certificates: ['cert-1', 'cert-2'] };
    const bound = await cli(['bind', 'web:443', 'cert-1', 'cert-2', '--replace'], {
      answer: { binding, replaced: ['cert-0'] },
    });
    expect(bound.asked).toEqual([
      { operation: 'bind', input: { name: 'web:443', certificates: ['cert-1', 'cert-2'], replace: true } },
    ]);
    expect(bound.stdout).toBe('bound web:443 to cert-1 and cert-2, in place of cert-0\n');
    const unbound = await cli(['unbind', 'web:443', '*'], { answer: { unbound: ['web:443', '*'] } });
    expect(unbound.asked[0]?.input).toEqual({ names: ['web:443', '*'] });
    expect(unbound.stdout).toBe('unbound web:443, *\n');
    const answer = { id: 'a', from: 3, to: 2, serial: '04', expiresAt: now, heldUntil: now };
    expect((await cli(['certs', 'rollback', 'a', '--to', '2'], { answer })).stdout).toBe(
      'a is back from generation 3 to 2 (serial 04, valid until 2026-11-20 12:00:00 UTC); it is not renewed before 2026-11-20 12:00:00 UTC, but by "renew a --force"\n',
    );
    expect((await cli(['certs', 'remove', 'a'], { answer: { removed: 'a' } })).stdout).toBe('deleted a\n');
  });
});
