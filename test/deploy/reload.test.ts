import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RunChild } from '../../src/core/child.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  createFilesTarget,
  createManualClock,
  deployNow,
  linkOf,
  makeBundle,
  runProgram,
  signal,
  slot,
  storeOf,
} from './fixture.ts';

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

  it('is repeated, once, for what is in place and clients were seen not to be shown', async () => {
    const path = testFolder('files');
    const { run, count } = countingRun();
    const clock = createManualClock();
    const target = await createFilesTarget({ path, reload: ['/bin/true'] }, { run, clock });
    const bundle = await makeBundle(['www.example.com']);
    await deployNow(target, { bundle, slot });
    clock.advance(60_000);
    const amissAt = clock.now();
    clock.advance(1000);
    for (let at = 0; at < 2; at += 1) await deployNow(target, { bundle, slot, amissAt });
    expect(count()).toBe(2);
    expect(readdirSync(storeOf(path))).toEqual(['1']);
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
    const observed = await deployNow(target, { bundle, slot });
    expect(observed).toBe(bundle.certificate.fingerprint);
    expect(readdirSync(storeOf(path))).toEqual(['1']);
    expect(count()).toBe(2);
  });

  it.each(['cat', 'tail -n 3', 'head -n 3'])(
    'that prints the key which it read by "%s" has it masked',
    async (print) => {
      const path = testFolder('files');
      const bundle = await makeBundle(['www.example.com']);
      const reload = ['/bin/sh', '-c', `echo refused; ${print} "$KEY" >&2; exit 1`];
      const reloadEnv = { KEY: join(linkOf(path), 'privkey.pem') };
      const target = await createFilesTarget({ path, reload, reloadEnv });
      const failed = await target.deploy({ bundle, slot }, signal).catch(String);
      expect(failed).toMatch(/ended with exit code 1: refused\n\*\*\*$/);
    },
  );

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
});

function countingRun(): { readonly run: RunChild; count(): number } {
  let runs = 0;
  const run: RunChild = (request) => {
    runs += 1;
    return runProgram(request);
  };
  return { run, count: () => runs };
}
