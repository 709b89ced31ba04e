import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Deployer } from '../../src/core/ports.ts';
import { exec } from '../../src/deploy/exec.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { canary } from '../support/canaries.ts';
import { testFolder } from '../support/run-folder.ts';
import { createSharedContexts } from '../support/targets/context.ts';
import { deployNow, makeBundle, signal, slot } from './fixture.ts';

/** Keeps a certificate as one file a lineage, written anew and renamed; reads the key where it is handed over. */
const keeper = `#!/bin/sh
set -eu
name=$(printf %s "$ACME_AGENT_LINEAGE" | tr '/*' '__')
case "$1" in
  place)
    if [ -n "\${ACME_AGENT_COMBINED_FILE:-}" ]; then cat "$ACME_AGENT_COMBINED_FILE"; else cat; fi > "$STORE/$name.new.$$"
    mv "$STORE/$name.new.$$" "$STORE/$name"
    printf %s "$ACME_AGENT_FINGERPRINT" > "$STORE/$name.print" ;;
  observe) if [ -f "$STORE/$name" ]; then cat "$STORE/$name.print"; fi ;;
  remove) rm -f "$STORE/$name" "$STORE/$name.print" ;;
esac
`;

interface Keeper {
  readonly store: string;
  readonly folder: string;
  readonly program: string;
  create(options?: Readonly<Record<string, unknown>>): Promise<Deployer>;
}

function createKeeper(): Keeper {
  const root = testFolder('exec');
  const [store, folder, program] = [join(root, 'store'), join(root, 'handover'), join(root, 'keeper')];
  mkdirSync(store);
  writeFileSync(program, keeper, { mode: 0o755 });
  const contextOf = createSharedContexts('own');
  const create = async (options = {}) =>
    exec.create(
      exec.options.parse({ command: [program, 'place'], env: { STORE: store }, ...options }),
      contextOf(),
    );
  return { store, folder, program, create };
}

for (const [how, more] of [
  ['a key on its standard input, and nothing to look with', () => ({})],
  [
    'files, and a program that looks',
    ({ folder, program }: Keeper) => ({
      folder,
      observe: [program, 'observe'],
      remove: [program, 'remove'],
    }),
  ],
] as const) {
  describeDeployTarget(`exec with ${how}`, async () => {
    const own = createKeeper();
    return {
      create: () => own.create(more(own)),
      read: async ({ lineage }) => {
        const file = join(own.store, lineage.replace(/[/*]/g, '_'));
        if (!existsSync(file)) return undefined;
        const pem = readFileSync(file, 'utf8');
        return { certificatePem: pem, keyPem: pem };
      },
      breakTarget: async () => {
        writeFileSync(own.program, '#!/bin/sh\ncat >&2\nexit 3\n');
        return async () => writeFileSync(own.program, keeper);
      },
      close: async () => rmSync(own.store, { recursive: true }),
    };
  });
}

it('tells a program what it is about, and shows the key to nobody else', async () => {
  const { create, folder, store } = createKeeper();
  const token = canary();
  const script =
    'env | sort > "$STORE/env"; stat -c "%a %n" "$(dirname "$ACME_AGENT_PRIVKEY_FILE")" "$ACME_AGENT_PRIVKEY_FILE" > "$STORE/modes"; ls "$(dirname "$ACME_AGENT_PRIVKEY_FILE")" > "$STORE/names"; test -n "$TOKEN"';
  const target = await create({
    folder,
    command: ['/bin/sh', '-c', script],
    env: { STORE: store, TOKEN: token },
  });
  const bundle = await makeBundle(['www.example.com', 'example.com']);
  await deployNow(target, { bundle, slot });
  const told = readFileSync(join(store, 'env'), 'utf8');
  expect(told).toContain('ACME_AGENT_NAMES=www.example.com example.com\n');
  expect(told).toContain(`ACME_AGENT_SERIAL=${bundle.certificate.serial}\n`);
  expect(told).not.toContain('PRIVATE KEY');
  const modes = readFileSync(join(store, 'modes'), 'utf8');
  expect(modes).toMatch(/^700 .*\n600 .*privkey\.pem\n$/);
  expect(readFileSync(join(store, 'names'), 'utf8').split('\n')).toContain('fullchain.pem');
  expect(readdirSync(folder)).toEqual([]);
  rmSync(join(store, 'env'));
});

it('a program that prints the key and fails: its words are told, the key is not', async () => {
  const { create, folder } = createKeeper();
  const bundle = await makeBundle(['www.example.com']);
  const script = 'sed "s/^/  /"; echo "no room" >&2; exit 7';
  for (const more of [{}, { folder }]) {
    const target = await create({ command: ['/bin/sh', '-c', script], ...more });
    const error: unknown = await target.deploy({ bundle, slot }, signal).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'deploy.target', message: expect.stringContaining('no room') });
    expect(String(error)).toContain('exit code 7');
    const key = Buffer.from(bundle.privateKey.reveal()).toString('base64').slice(0, 60);
    expect(String(error)).not.toContain(key.slice(0, 40));
    expect(await target.observe(slot, signal)).toBeUndefined();
  }
  expect(readdirSync(folder)).toEqual([]);
});

it('a program that takes too long is ended', async () => {
  const { create } = createKeeper();
  const target = await create({ command: ['/bin/sleep', '600'], timeoutSeconds: 0.2 });
  const bundle = await makeBundle(['www.example.com']);
  await expect(target.deploy({ bundle, slot }, signal)).rejects.toMatchObject({
    code: 'deploy.target',
    message: expect.stringContaining('did not end within 0.2 s'),
  });
});

it('what the program says is in place is what counts', async () => {
  const { create } = createKeeper();
  const bundle = await makeBundle(['www.example.com']);
  const print = 'AB:'.repeat(31).concat('CD');
  const seen = async (words: string) =>
    (await create({ command: ['/bin/true'], observe: ['/bin/echo', words] })).deploy(
      { bundle, slot },
      signal,
    );
  expect(await seen(`sha256 Fingerprint=${print}`)).toEqual({ observed: `${'ab'.repeat(31)}cd` });
  await expect(seen(' ')).rejects.toMatchObject({ code: 'deploy.mismatch' });
  await expect(seen('all is well')).rejects.toMatchObject({ code: 'deploy.mismatch' });
});

it('takes away what a killed agent left in the folder, not what another deployment has there now', async () => {
  const { create, folder } = createKeeper();
  for (const name of ['acme-agent-own-dead', 'acme-agent-own-live', 'of-somebody-else']) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'privkey.pem'), 'key');
    const at = name.endsWith('live') ? Date.now() / 1000 : 1;
    utimesSync(join(folder, name), at, at);
  }
  const target = await create({ folder, command: ['/bin/true'] });
  await deployNow(target, { bundle: await makeBundle(['www.example.com']), slot });
  expect(readdirSync(folder).toSorted()).toEqual(['acme-agent-own-live', 'of-somebody-else']);
});

it('a check runs nothing, and names every program that is not there', async () => {
  const { create, store } = createKeeper();
  const file = join(testFolder('exec'), 'no-program');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  await (await create({ remove: ['/bin/false'] })).check?.(signal);
  expect(readdirSync(store)).toEqual([]);
  const wrong = await create({ observe: [file], remove: ['/no/such/program'] });
  const error: unknown = await wrong.check?.(signal).catch((reason: unknown) => reason);
  const all = error instanceof AggregateError ? error.errors.map(String).join('\n') : String(error);
  expect(all).toMatch(/no-program that is "observe" of own is not there, or may not be run/);
  expect(all).toMatch(/\/no\/such\/program that is "remove" of own/);
});
