import { getEventListeners, setMaxListeners } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunChild } from '../../src/plugin/context.ts';
import { testFolder } from '../support/run-folder.ts';
import { createFilesTarget, createManualClock, makeBundle, runProgram, slotOf } from './fixture.ts';

const nobody = 65534;
const root = process.geteuid?.() === 0;
const signal = new AbortController().signal;
setMaxListeners(0, signal);
const slot = slotOf('www.example.com');

function linkOf(path: string, name = 'www.example.com'): string {
  return join(path, 'example.com', name);
}

function storeOf(path: string, name = 'www.example.com'): string {
  return join(path, 'example.com', '.generations', name);
}

describe('a place that cannot be used', () => {
  it.each([
    ['../../etc', 'example.com'],
    ['a/b', 'example.com'],
    ['a\0b', 'example.com'],
    ['.generations', 'example.com'],
    ['a..b', 'example.com'],
    ['_wildcard.example.com', 'example.com'],
    ['www.example.com.rsa', 'example.com'],
    [`${'a'.repeat(63)}.`.repeat(4), 'example.com'],
    ['www.example.com', '../up'],
    ['www.example.com', ''],
  ])('refuses label %j of domain %j and writes nothing', async (label, domain) => {
    const path = join(testFolder('files'), 'certs');
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    const request = { bundle, slot: { ...slotOf(label, 'rsa'), domain } };
    await expect(target.deploy(request, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    await expect(target.observe(request.slot, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    expect(existsSync(path)).toBe(false);
  });

  it('is a file in the way of the root, of the domain or of the link', async () => {
    const path = testFolder('files');
    const bundle = await makeBundle(['www.example.com']);
    writeFileSync(join(path, 'file'), '');
    writeFileSync(join(path, 'example.com'), '');
    const below = await createFilesTarget({ path: join(path, 'file') });
    const beside = await createFilesTarget({ path });
    await expect(below.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });

    rmSync(join(path, 'example.com'));
    mkdirSync(join(path, 'example.com'));
    writeFileSync(linkOf(path), 'of another program');
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('not made by acme-agent'),
    });
    expect(readFileSync(linkOf(path), 'utf8')).toBe('of another program');

    rmSync(linkOf(path));
    symlinkSync('/nowhere', linkOf(path));
    await expect(beside.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
    expect(readlinkSync(linkOf(path))).toBe('/nowhere');
  });

  it('is a domain directory that is a link to elsewhere', async () => {
    const path = testFolder('files');
    symlinkSync(testFolder('elsewhere'), join(path, 'example.com'));
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({ code: 'deploy.target' });
  });

  it.skipIf(!root)('is a root of somebody else where everybody may write (needs root)', async () => {
    const path = testFolder('files');
    chmodSync(path, 0o777);
    chownSync(path, nobody, nobody);
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.target',
      message: expect.stringContaining('everybody may write'),
    });
    expect(readdirSync(path)).toEqual([]);
  });

  it('is a directory without the right to write, and the error names it', async () => {
    const bundle = await makeBundle(['www.example.com']);
    await asOrdinaryUser(async (folder) => {
      chmodSync(folder, 0o500);
      const path = join(folder, 'certs');
      const target = await createFilesTarget({ path });
      await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
        code: 'deploy.target',
        message: expect.stringMatching(new RegExp(`^${path}: user \\d+ may not do this`)),
      });
    });
  });
});

describe('the reload', () => {
  it('runs after the switch, with its arguments and environment as they are', async () => {
    const folder = testFolder('files');
    const path = join(folder, 'certs');
    const script = 'readlink "$LINK" >> "$OUT"; printf "%s\\n" "$1" >> "$OUT"';
    const target = await createFilesTarget({
      path,
      reload: ['/bin/sh', '-c', script, 'reload', '$(id) "quoted"'],
      reloadEnv: { OUT: join(folder, 'out'), LINK: linkOf(path) },
    });
    await target.deploy({ bundle: await makeBundle(['www.example.com']), slot }, signal);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(
      '.generations/www.example.com/1\n$(id) "quoted"\n',
    );
  });

  it('is not repeated for the same certificate, not even by a new process', async () => {
    const path = testFolder('files');
    const { run, count } = countingRun();
    const bundle = await makeBundle(['www.example.com']);
    const reload = ['/bin/true'];
    for (let at = 0; at < 2; at += 1) {
      const target = await createFilesTarget({ path, reload }, { run });
      await target.deploy({ bundle, slot }, signal);
      await target.deploy({ bundle, slot }, signal);
    }
    expect(count()).toBe(1);
  });

  it('alone is repeated after it failed; the error has its exit code and last lines without secrets', async () => {
    const folder = testFolder('files');
    const path = join(folder, 'certs');
    const flag = join(folder, 'works');
    const { run, count } = countingRun();
    const clock = createManualClock();
    const reload = ['/bin/sh', '-c', `echo "key $TOKEN refused" >&2; test -e ${flag} || exit 7`];
    const reloadEnv = { TOKEN: 'hunter2-hunter2' };
    const target = await createFilesTarget({ path, reload, reloadEnv }, { run, clock });
    const bundle = await makeBundle(['www.example.com']);

    const failed = await target.deploy({ bundle, slot }, signal).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'deploy.reload',
      message: expect.stringMatching(/of edge ended with exit code 7: key .* refused/),
    });
    expect(String(failed)).not.toContain('hunter2');
    expect(await target.observe(slot, signal)).toBe(bundle.certificate.fingerprint);

    writeFileSync(flag, '');
    clock.advance(10_000);
    const { observed } = await target.deploy({ bundle, slot }, signal);
    expect(observed).toBe(bundle.certificate.fingerprint);
    expect(readdirSync(storeOf(path))).toEqual(['1']);
    expect(count()).toBe(2);
  });

  it('that takes too long is ended, and the error names the time', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path, reload: ['sleep', '60'], reloadTimeout: 0.2 });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.reload',
      message: expect.stringContaining('did not end within 0.2 s'),
    });
  });

  it('that cannot be started is named', async () => {
    const target = await createFilesTarget({ path: testFolder('files'), reload: ['/no/such/program'] });
    const bundle = await makeBundle(['www.example.com']);
    await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
      code: 'deploy.reload',
      message: expect.stringMatching(/"\/no\/such\/program" of edge could not be started/),
    });
  });

  it('is shared by certificates that come together', async () => {
    const path = testFolder('files');
    const clock = createManualClock();
    const { run, count } = countingRun();
    const target = await createFilesTarget({ path, reload: ['/bin/true'] }, { run, clock });
    const labels = Array.from({ length: 12 }, (_, at) => `h${at}.example.com`);
    const bundles = await Promise.all(labels.map((label) => makeBundle([label])));
    const first = labels[0] ?? '';
    await target.deploy({ bundle: bundles[0] ?? (await makeBundle([first])), slot: slotOf(first) }, signal);
    expect(count()).toBe(1);

    const all = Promise.all(
      bundles.map((bundle, at) => target.deploy({ bundle, slot: slotOf(labels[at] ?? '') }, signal)),
    );
    // One listener for each deploy that waits for the next reload; the first certificate is reloaded already.
    await expect.poll(() => getEventListeners(signal, 'abort').length, { timeout: 20_000 }).toBe(11);
    expect(count()).toBe(1);
    clock.advance(10_000);
    await all;
    expect(count()).toBe(2);
  });
});

function countingRun(): { readonly run: RunChild; count(): number } {
  let runs = 0;
  const run: RunChild = (request) => {
    runs += 1;
    return runProgram(request);
  };
  return { run, count: () => runs };
}

/** As a user with no special rights, in a folder of that user: the one who runs the tests, or another if that is root. */
async function asOrdinaryUser(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'acme-agent-files-'));
  if (root) chownSync(folder, nobody, nobody);
  if (root) process.seteuid?.(nobody);
  try {
    await work(folder);
  } finally {
    if (root) process.seteuid?.(0);
    rmSync(folder, { recursive: true });
  }
}
