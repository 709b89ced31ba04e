import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exec } from '../../providers/exec.ts';
import { describeProvider } from '../contract/dns-provider.ts';
import type { ProviderUnderTest } from '../contract/subject.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;

/** Keeps lines "name. value" in the file "zone"; the files "hang" and "lose" make it wait, or fail when done. */
const program = `
cd "$FOLDER" || exit 9
test "$TOKEN" = "canary-token" || { echo "bad token $TOKEN" >&2; exit 8; }
if test -e hang; then : > reached; while test -e hang; do sleep 0.05; done; fi
line="$2 $3"
grep -qxF -e "$line" zone && found=yes || found=no
case "$1" in
  present) test $found = yes || printf '%s\\n' "$line" >> zone ;;
  cleanup) test $found = no || { grep -vxF -e "$line" zone > zone.new; mv zone.new zone; } ;;
  *) exit 7 ;;
esac
if test -e lose; then rm lose; exit 1; fi
`;

describeProvider('exec', {
  traits: exec.traits,
  setup,
  notApplicable: {
    listTxt: 'its protocol cannot list',
    findZone: 'its protocol knows no zones',
    delegated: 'its protocol knows no zones',
    missing: 'its protocol knows no zones',
    withWrongCredentials: 'its protocol does not tell why a program failed',
    refused: 'it makes one change a call',
    denyRights: 'its protocol does not tell why a program failed',
    throttleOnce: 'its protocol does not tell why a program failed',
    failOnce: 'its protocol does not tell why a program failed',
    ttl: 'its protocol has no TTLs',
    large: 'its protocol cannot list',
    server: 'a program answers, and no server',
    dns: 'no DNS server stands behind the program',
    aliases: 'no DNS server stands behind the program',
  },
});

describe('exec', () => {
  it('shows what a failing program said, without the secrets it was given', async () => {
    const provider = await create(testFolder('exec'), { TOKEN: 'wrong-canary' });
    const { outcomes } = await provider.apply(zone, [add], signal);
    const [outcome] = outcomes;
    const message = outcome?.ok === false ? outcome.error.message : '';
    expect(message).toMatch(
      /\/bin\/sh present _acme-challenge\.example\.test ended with exit code 8: bad token/,
    );
    expect(message).not.toContain('wrong-canary');
  });

  it('ends a program that takes too long', async () => {
    const folder = testFolder('exec');
    writeFileSync(join(folder, 'hang'), '');
    const provider = await create(folder, {}, { timeoutSeconds: 1 });
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([{ ok: false, error: { message: /did not end within 1 s/ } }]);
  });

  it('says that the program does not exist', async () => {
    const options = exec.options.parse({ command: ['/nowhere/dns-hook'] });
    const provider = await exec.create(options, createPluginContext('hook'));
    await expect(provider.apply(zone, [add], signal)).rejects.toThrow(/\/nowhere\/dns-hook/);
  });

  it('has the engine wait as long as a change is said to take, and more', async () => {
    const options = exec.options.parse({ command: ['hook'], propagationSeconds: 3600 });
    const provider = await exec.create(options, createPluginContext('hook'));
    expect(provider.traits.propagation).toMatchObject({ typicalMs: 3_600_000, timeoutMs: 7_200_000 });
  });

  it('says before the first order that the program cannot be run', async () => {
    const program = join(testFolder('exec'), 'hook');
    writeFileSync(program, 'exit 0', { mode: 0o644 });
    const check = async (command: string, env = {}) => {
      const options = exec.options.parse({ command: [command], env });
      await (await exec.create(options, createPluginContext('hook'))).check?.(signal);
    };
    await expect(check(program)).rejects.toMatchObject({ code: 'provider.unavailable', retry: 'blocked' });
    await expect(check('hook')).rejects.toMatchObject({ code: 'provider.unavailable' });
    chmodSync(program, 0o755);
    await check(program);
    const folder = testFolder('exec-path');
    copyFileSync(program, join(folder, 'hook'));
    await check('hook', { PATH: folder });
  });

  it('tells the engine what its cleanup removes', async () => {
    const options = exec.options.parse({ command: ['hook'], cleanup: 'name' });
    const provider = await exec.create(options, createPluginContext('hook'));
    expect(provider.traits.removeIsExact).toBe(false);
  });
});

/** Writes the variables that it got from certbot into a file named after the hook, and says something. */
const hook = `
cd "$FOLDER" || exit 9
env | grep '^CERTBOT_' | sort > "$1"
printf '  record 17\\n\\n'
`;

describe('exec with hooks for certbot', () => {
  it('gives them the variables that certbot gives, and the second one the output of the first', async () => {
    const { provider, variables } = await createHooks();
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toEqual([{ ok: true, handle: 'record 17' }]);
    const common = {
      CERTBOT_DOMAIN: 'example.test',
      CERTBOT_IDENTIFIER: 'example.test',
      CERTBOT_ALL_DOMAINS: 'example.test',
      CERTBOT_ALL_IDENTIFIERS: 'example.test',
      CERTBOT_VALIDATION: 'digest',
      CERTBOT_REMAINING_CHALLENGES: '0',
    };
    expect(variables('auth')).toEqual(common);
    await provider.apply(zone, [{ ...add, op: 'remove', handle: 'record 17' }], signal);
    expect(variables('cleanup')).toEqual({ ...common, CERTBOT_AUTH_OUTPUT: 'record 17' });
    await provider.apply(zone, [{ ...add, op: 'remove' }], signal);
    expect(variables('cleanup')).toEqual({ ...common, CERTBOT_AUTH_OUTPUT: '' });
  });

  it('refuses a name that they could not write at', async () => {
    const { provider } = await createHooks();
    await expect(provider.apply(zone, [{ ...add, name: 'x.example.test' }], signal)).rejects.toMatchObject({
      code: 'provider.invalid',
      message: /cannot write at x\.example\.test/,
    });
  });

  it('must be given both, and says before the first order which of them cannot be run', async () => {
    for (const wrong of [{ form: 'certbot' }, { cleanupCommand: ['cleanup'] }]) {
      const { error } = exec.options.safeParse({ command: ['auth'], ...wrong });
      expect(error?.issues).toMatchObject([{ path: ['cleanupCommand'] }]);
    }
    const options = exec.options.parse({ command: ['sh'], form: 'certbot', cleanupCommand: ['/nowhere/x'] });
    const provider = await exec.create(options, createPluginContext('hook'));
    await expect(provider.check?.(signal)).rejects.toThrow(/\/nowhere\/x is not there/);
  });
});

async function createHooks() {
  const folder = testFolder('exec');
  const file = join(folder, 'hook.sh');
  writeFileSync(file, hook);
  const options = exec.options.parse({
    form: 'certbot',
    command: ['/bin/sh', file, 'auth'],
    cleanupCommand: ['/bin/sh', file, 'cleanup'],
    env: { FOLDER: folder },
  });
  const variables = (name: string) =>
    Object.fromEntries(
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  return { provider: await exec.create(options, createPluginContext('hook')), variables };
}

async function create(folder: string, env: object = {}, more: object = {}) {
  const file = join(folder, 'program.sh');
  writeFileSync(file, program);
  const options = exec.options.parse({
    command: ['/bin/sh', file],
    env: { FOLDER: folder, TOKEN: 'canary-token', ...env },
    ...more,
  });
  return exec.create(options, createPluginContext('hook'));
}

async function setup(): Promise<ProviderUnderTest> {
  const folder = testFolder('exec');
  const file = join(folder, 'zone');
  writeFileSync(file, '');
  const [provider, again] = [await create(folder), await create(folder)];
  const lines = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  return {
    provider,
    zone,
    again: () => again,
    txt: async (name) =>
      lines().flatMap((line) => (line.startsWith(`${name}. `) ? [line.slice(name.length + 2)] : [])),
    addForeign: async (name, value) => writeFileSync(file, [...lines(), `${name}. ${value}`, ''].join('\n')),
    removeForeign: async (name, value) => {
      writeFileSync(file, [...lines().filter((line) => line !== `${name}. ${value}`), ''].join('\n'));
    },
    snapshot: async () => lines().join('\n'),
    stop: async () => {},
    loseAnswerOnce: () => writeFileSync(join(folder, 'lose'), ''),
    hangOnce() {
      const [hang, reached] = [join(folder, 'hang'), join(folder, 'reached')];
      writeFileSync(hang, '');
      return {
        reached: until('the program is called', () => existsSync(reached)),
        release: () => rmSync(hang),
      };
    },
  };
}
