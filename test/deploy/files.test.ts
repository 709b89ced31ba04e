import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../support/run-folder.ts';
import {
  asOrdinaryUser,
  createFilesTarget,
  createManualClock,
  deployNow,
  isRoot,
  linkOf,
  makeBundle,
  signal,
  slot,
  slotOf,
  storeOf,
} from './fixture.ts';

const fileNames = ['cert.pem', 'chain.pem', 'combined.pem', 'fullchain.pem', 'privkey.pem'];

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}

describe('the files of a certificate', () => {
  it('are five PEM files that openssl reads, below a link named after domain and label', async () => {
    const path = testFolder('files');
    const bundle = await makeBundle(['www.example.com'], { chain: 2 });
    const target = await createFilesTarget({ path });

    const observed = await deployNow(target, { bundle, slot });

    expect(observed).toBe(bundle.certificate.fingerprint);
    const link = linkOf(path);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(
      readdirSync(link)
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(fileNames);
    const read = (name: string) => readFileSync(join(link, name), 'utf8');
    expect(read('fullchain.pem')).toBe(read('cert.pem') + read('chain.pem'));
    expect(read('combined.pem')).toBe(read('privkey.pem') + read('fullchain.pem'));
    expect(read('fullchain.pem').match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8' });
    const fromCertificate = openssl('x509', '-in', join(link, 'fullchain.pem'), '-noout', '-pubkey');
    expect(openssl('pkey', '-in', join(link, 'combined.pem'), '-pubout')).toBe(fromCertificate);
    expect(openssl('pkey', '-in', join(link, 'privkey.pem'), '-pubout')).toBe(fromCertificate);
  });

  it('lie at paths that differ for wildcards and RSA keys, and not for their source', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const names = ['*.example.com'];
    const issued = await makeBundle(names);
    const rsa = await makeBundle(names, { keyType: 'rsa2048' });
    const fallback = await makeBundle(names, { source: 'self-signed', chain: 0 });

    await target.deploy({ bundle: fallback, slot: slotOf('*.example.com') }, signal);
    await target.deploy({ bundle: issued, slot: slotOf('*.example.com') }, signal);
    await target.deploy({ bundle: rsa, slot: slotOf('*.example.com', 'rsa') }, signal);

    expect(readdirSync(join(path, 'example.com')).sort()).toEqual([
      '.generations',
      '_wildcard.example.com',
      '_wildcard.example.com.rsa',
    ]);
    expect(await target.observe(slotOf('*.example.com'), signal)).toBe(issued.certificate.fingerprint);
    expect(await target.observe(slotOf('*.example.com', 'rsa'), signal)).toBe(rsa.certificate.fingerprint);
  });

  it('give a self-signed certificate a chain.pem that is not empty, since servers refuse an empty one', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    await target.deploy({ bundle: await makeBundle(['www.example.com'], { chain: 0 }), slot }, signal);

    const chain = readFileSync(join(linkOf(path), 'chain.pem'), 'utf8');
    expect(new X509Certificate(chain).subjectAltName).toContain('www.example.com');
    expect(readFileSync(join(linkOf(path), 'fullchain.pem'), 'utf8')).toBe(chain);
  });

  it('are not written again for the same certificate, be it asked for at once or later', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);

    await Promise.all([target.deploy({ bundle, slot }, signal), target.deploy({ bundle, slot }, signal)]);
    const before = readlinkSync(linkOf(path));
    await target.deploy({ bundle, slot }, signal);

    expect(readlinkSync(linkOf(path))).toBe(before);
    expect(readdirSync(storeOf(path))).toEqual(['1']);
  });

  it('are written again when somebody has changed or removed one of them', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    const other = await makeBundle(['www.example.com']);
    await target.deploy({ bundle, slot }, signal);

    const foreign = other.privateKey.reveal();
    const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(foreign).toString('base64')}\n-----END PRIVATE KEY-----\n`;
    const combined = join(linkOf(path), 'combined.pem');
    writeFileSync(combined, readFileSync(combined, 'utf8').replace(/^-[\s\S]*?END PRIVATE KEY-----\n/, pem));
    await expect(target.observe(slot, signal)).rejects.toMatchObject({ code: 'deploy.mismatch' });
    await target.deploy({ bundle, slot }, signal);
    expect(await target.observe(slot, signal)).toBe(bundle.certificate.fingerprint);

    rmSync(join(linkOf(path), 'privkey.pem'));
    await target.deploy({ bundle, slot }, signal);
    expect(createPrivateKey(readFileSync(join(linkOf(path), 'privkey.pem'))).type).toBe('private');

    rmSync(join(path, 'example.com', readlinkSync(linkOf(path))), { recursive: true });
    expect(await target.observe(slot, signal)).toBeUndefined();
    await target.deploy({ bundle, slot }, signal);
    expect(await target.observe(slot, signal)).toBe(bundle.certificate.fingerprint);
  });

  it('can be rolled back: an older certificate is served again', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const [older, newer] = [await makeBundle(['www.example.com']), await makeBundle(['www.example.com'])];
    for (const bundle of [older, newer, older]) await target.deploy({ bundle, slot }, signal);
    expect(await target.observe(slot, signal)).toBe(older.certificate.fingerprint);
  });

  it('are observed without touching anything: nothing there is nothing, and no directory is made', async () => {
    const path = join(testFolder('files'), 'not-there');
    const target = await createFilesTarget({ path });
    expect(await target.observe(slot, signal)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
  });
});

describe('older generations', () => {
  it('stay for the two before the current one; those before go', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const seen: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      await target.deploy({ bundle: await makeBundle(['www.example.com']), slot }, signal);
      seen.push(readlinkSync(linkOf(path)).split('/').at(-1) ?? '');
    }
    expect(readdirSync(storeOf(path)).sort()).toEqual(seen.slice(2).sort());
  });

  it('are cleaned of what a crash left, but not of what another writer may be writing', async () => {
    const path = testFolder('files');
    const clock = createManualClock();
    const target = await createFilesTarget({ path }, { clock });
    const bundle = await makeBundle(['www.example.com']);
    await target.deploy({ bundle, slot }, signal);
    const store = storeOf(path);
    const longAgo = new Date(clock.now() - 3_600_000);
    mkdirSync(join(store, '7'));
    writeFileSync(join(store, '7', 'privkey.pem'), 'half a k');
    utimesSync(join(store, '7'), longAgo, longAgo);
    mkdirSync(join(store, '8'));
    symlinkSync('.generations/www.example.com/8', join(store, '8.link'));

    await target.deploy({ bundle, slot }, signal);
    expect(readdirSync(store).sort()).toEqual(['1', '8', '8.link']);

    clock.advance(5 * 60_000);
    await expect.poll(() => readdirSync(store), { timeout: 10_000 }).toEqual(['1']);

    await target.deploy({ bundle: await makeBundle(['www.example.com']), slot }, signal);
    expect(readdirSync(store).sort()).toEqual(['1', '2']);
  });
});

describe('rights', () => {
  it('are 0600 in 0700 by default, whatever the umask', async () => {
    const path = join(testFolder('files'), 'certs');
    const umask = process.umask(0);
    try {
      const target = await createFilesTarget({ path });
      await target.deploy({ bundle: await makeBundle(['www.example.com']), slot }, signal);
    } finally {
      process.umask(umask);
    }
    const directories = [path, join(path, 'example.com'), storeOf(path), linkOf(path)];
    expect(directories.map(modeOf)).toEqual([0o700, 0o700, 0o700, 0o700]);
    expect(fileNames.map((name) => modeOf(join(linkOf(path), name)))).toEqual(fileNames.map(() => 0o600));
  });

  it('change with the configuration, although the certificate stays', async () => {
    const path = join(testFolder('files'), 'certs');
    const bundle = await makeBundle(['www.example.com']);
    await (await createFilesTarget({ path })).deploy({ bundle, slot }, signal);
    const umask = process.umask(0o077);
    try {
      await (await createFilesTarget({ path, mode: '0640' })).deploy({ bundle, slot }, signal);
    } finally {
      process.umask(umask);
    }
    expect([join(path, 'example.com'), storeOf(path), linkOf(path)].map(modeOf)).toEqual([
      0o750, 0o750, 0o750,
    ]);
    expect(fileNames.map((name) => modeOf(join(linkOf(path), name)))).toEqual(fileNames.map(() => 0o640));
  });

  it.skipIf(!isRoot)('give files and directories to another owner and group (needs root)', async () => {
    const path = join(testFolder('files'), 'certs');
    const target = await createFilesTarget({ path, mode: '0640', owner: 'nobody', group: 4242 });
    await target.deploy({ bundle: await makeBundle(['www.example.com']), slot }, signal);
    const uidOfNobody = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    for (const name of ['.', ...fileNames]) {
      const { uid, gid } = statSync(join(linkOf(path), name));
      expect({ uid, gid }).toEqual({ uid: uidOfNobody, gid: 4242 });
    }
  });

  it('cannot be given away without root, and the error says so', async () => {
    const bundle = await makeBundle(['www.example.com']);
    await asOrdinaryUser(async (folder) => {
      const target = await createFilesTarget({ path: join(folder, 'certs'), owner: '0' });
      await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
        code: 'deploy.target',
        message: expect.stringContaining('run the agent as root'),
      });
    });
  });

  it('name an owner that does not exist', async () => {
    const target = await createFilesTarget({ path: testFolder('files'), owner: 'no-such-user' });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('no user "no-such-user"'),
    });
  });
});
