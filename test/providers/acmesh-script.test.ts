import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { acmesh } from '../../providers/acmesh.ts';
import { canary } from '../support/canaries.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { allProcesses } from '../support/proc.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const add = { op: 'add', name: '_acme-challenge.example.test', value: 'digest', ttl: 60 } as const;
const remove = { ...add, op: 'remove' } as const;

interface Given {
  /** What the functions for adding and removing do. */
  readonly add?: string;
  readonly rm?: string;
  readonly options?: object;
}

/** An account with a script of its own, which finds its folder in $FOLDER. */
async function given({ add: adding = ':', rm = ':', options = {} }: Given) {
  const context = createPluginContext('hook');
  const folder = mkdtempSync(join(tmpdir(), 'dnsapi-'));
  chmodSync(folder, 0o755);
  const script = join(folder, 'dns_own.sh');
  writeFileSync(script, `dns_own_add() {\n${adding}\n}\ndns_own_rm() {\n${rm}\n}\n`);
  const parsed = acmesh.options.parse({ dnsapi: script, env: { FOLDER: folder }, ...options });
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  return { folder, provider: await acmesh.create(parsed, context), read, context };
}

describe('a dnsapi script', () => {
  it('gets the name without a dot at the end, and the value', async () => {
    const { provider, read } = await given({
      add: 'printf "%s|" "$@" >"$FOLDER/added"',
      rm: 'printf "%s|" "$@" >"$FOLDER/removed"',
    });
    const odd = '-a "quoted" $value\\n %s';
    const { outcomes } = await provider.apply(zone, [add, { ...remove, value: odd }], signal);
    expect(outcomes).toEqual([{ ok: true }, { ok: true }]);
    expect(read('added')).toBe('_acme-challenge.example.test|digest|');
    expect(read('removed')).toBe(`_acme-challenge.example.test|${odd}|`);
  });

  it('has its variables and little else in its environment', async () => {
    const { provider, read } = await given({
      add: 'env | cut -d = -f 1 | sort >"$FOLDER/names"; printf "%s" "$OWN_Token" >"$FOLDER/token"',
      options: { variables: { OWN_Token: 'a token' } },
    });
    await provider.apply(zone, [add], signal);
    expect(read('token')).toBe('a token');
    const own = ['FOLDER', 'OWN_Token', 'PATH', 'HOME', 'TMPDIR'];
    const shim = ['HTTP_HEADER', 'LE_WORKING_DIR', 'LE_CONFIG_HOME', 'ACME_OPENSSL_BIN', 'USER_AGENT'];
    const shell = ['PWD', 'OLDPWD', 'SHLVL', '_'];
    const others = read('names')
      .split('\n')
      .filter((name) => name !== '' && ![...own, ...shim, ...shell].includes(name));
    expect(others).toEqual([]);
  });

  it('works in a folder of its own, for nobody else to read, which is gone afterwards', async () => {
    const { provider, read } = await given({
      add: 'echo x >file; { pwd; ls -l file | cut -c 1-10; ls -ld .. | cut -c 1-10; } >"$FOLDER/seen"',
    });
    await provider.apply(zone, [add], signal);
    const [folder = '', file, above] = read('seen').split('\n');
    expect([file, above]).toEqual(['-rw-------', 'drwx------']);
    expect(existsSync(folder)).toBe(false);
  });

  it('has its errors told as warnings, all else for debugging, and its secrets nowhere', async () => {
    const token = canary();
    const { provider, context } = await given({
      add: '_info hello; _debug hidden; echo stdout; echo "raw $OWN_Token" >&2; _err "bad $OWN_Token" || return 1',
      options: { variables: { OWN_Token: token } },
    });
    const { outcomes } = await provider.apply(zone, [add], signal);
    const [outcome] = outcomes;
    const message = outcome?.ok === false ? outcome.error.message : '';
    expect(message).toBe('dns_own.sh add _acme-challenge.example.test ended with exit code 1: bad ***');
    const said = context.logged.map((line) => JSON.parse(line)).filter((line) => 'said' in line);
    expect(said.map(({ level, said: text }) => `${level} ${text}`)).toEqual([
      'debug hello',
      'debug raw ***',
      'warn bad ***',
    ]);
  });

  it('says more when it is asked to', async () => {
    const { provider, context } = await given({
      add: '_debug one 1; _debug2 two; _debug3 three; _secure_debug four 4',
      options: { env: { DEBUG: '2' } },
    });
    await provider.apply(zone, [add], signal);
    const said = context.logged.map((line) => JSON.parse(line).said).filter((text) => text !== undefined);
    expect(said).toEqual(["one='1'", 'two', "four='[hidden]'"]);
  });

  it('that calls what is not there is told so', async () => {
    const { provider } = await given({ add: '_no_such_function x || return 1' });
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([
      { ok: false, error: { message: /_no_such_function: (command )?not found/ } },
    ]);
  });

  it('may leave by exit', async () => {
    const { provider } = await given({ add: 'exit 3' });
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'provider.unavailable' } }]);
  });

  it('that takes too long is ended with all that it started, and its folder is removed', async () => {
    const temporary = testFolder('temporary');
    const { provider } = await given({
      add: 'trap "" TERM; echo secret >file; sleep 1000.5',
      options: { timeoutSeconds: 1, env: { TMPDIR: temporary } },
    });
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([{ ok: false, error: { message: /did not end within 1 s/ } }]);
    await until('nothing of it runs', () =>
      allProcesses().every(({ command }) => !command.includes('sleep 1000.5')),
    );
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is not handed a value that would be more than one line of its input', async () => {
    const { provider } = await given({});
    const { outcomes } = await provider.apply(zone, [{ ...add, value: 'a\nb' }], signal);
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'provider.invalid' } }]);
  });
});

describe('what a dnsapi script saves', () => {
  const odd = ' a\tb  100%25 \\n "x"';
  const saving = [
    '_saveaccountconf_mutable OWN_Session "$OWN_Odd"',
    '_saveaccountconf_mutable OWN_Gone x; _clearaccountconf_mutable OWN_Gone',
    '_saveaccountconf OWN_Plain "$(printf "line one\\nline two")"',
    '_savedomainconf "a key/with signs" 17; _savedomainconf OWN_Gone x; _cleardomainconf OWN_Gone',
  ].join('\n');
  const telling = [
    'printf "%s|" "$(_readaccountconf_mutable OWN_Session)" "$(_readaccountconf_mutable OWN_Gone)"',
    '"$OWN_Plain" "$(_readaccountconf OWN_Plain)" "$(_readdomainconf "a key/with signs")" "$(_readdomainconf OWN_Gone)"',
    '>"$FOLDER/told"',
  ].join(' ');
  const variables = { OWN_Odd: odd };

  it('is there in the next call, in another process too', async () => {
    const first = await given({ add: saving, options: { variables } });
    await first.provider.apply(zone, [add], signal);
    const { provider, read } = await again(first, { add: telling, options: { variables } });
    await provider.apply(zone, [add], signal);
    expect(read('told')).toBe(`${odd}||line one\nline two|line one\nline two|17||`);
  });

  it('for one name is not there for another', async () => {
    const first = await given({ add: saving, options: { variables } });
    await first.provider.apply(zone, [add], signal);
    const { provider, read } = await again(first, { add: telling, options: { variables } });
    await provider.apply(zone, [{ ...add, name: '_acme-challenge.other.example.test' }], signal);
    expect(read('told')).toBe(`${odd}||line one\nline two|line one\nline two|||`);
  });

  it('is forgotten when the variables of the account change', async () => {
    const first = await given({ add: saving, options: { variables } });
    await first.provider.apply(zone, [add], signal);
    const { provider, read } = await again(first, {
      add: telling,
      options: { variables: { OWN_Odd: 'new' } },
    });
    await provider.apply(zone, [add], signal);
    expect(read('told')).toBe('||||||');
  });

  it('is kept when the script fails, and is masked in what it says', async () => {
    const session = canary();
    const failing =
      '_saveaccountconf_mutable OWN_Session "$(cat "$FOLDER/session")"; _err "session $(cat "$FOLDER/session")" || return 1';
    const first = await given({ add: failing });
    writeFileSync(join(first.folder, 'session'), session);
    await first.provider.apply(zone, [add], signal);
    expect(first.context.logged.join()).toContain('session ***');
    const { provider, read } = await again(first, {
      add: '_readaccountconf_mutable OWN_Session | wc -c >"$FOLDER/told"',
    });
    await provider.apply(zone, [add], signal);
    expect(read('told').trim()).toBe(String(session.length));
  });

  /** The same script with other contents, as another process has it: only the store is the same. */
  async function again(first: Awaited<ReturnType<typeof given>>, next: Given) {
    const script = join(first.folder, 'dns_own.sh');
    writeFileSync(script, `dns_own_add() {\n${next.add}\n}\ndns_own_rm() { :; }\n# OWN_Odd\n`);
    const options = { dnsapi: script, env: { FOLDER: first.folder }, ...next.options };
    const context = { ...createPluginContext('hook'), state: first.context.state };
    return { ...first, provider: await acmesh.create(acmesh.options.parse(options), context) };
  }
});

describe('the check of an account with a dnsapi script', () => {
  it('finds a sound script sound, and calls nothing in it', async () => {
    const { provider, folder } = await given({ add: 'touch "$FOLDER/called"' });
    await provider.check?.(signal);
    expect(readdirSync(folder)).toEqual(['dns_own.sh']);
  });

  it('tells of a script that does not load or has no function for its name', async () => {
    const { provider, folder } = await given({});
    const script = join(folder, 'dns_own.sh');
    const refusal = (message: RegExp) => ({ code: 'provider.unavailable', retry: 'blocked', message });
    writeFileSync(script, 'dns_own_add() { :; }\n');
    await expect(provider.check?.(signal)).rejects.toMatchObject(refusal(/no function dns_own_rm/));
    writeFileSync(script, 'dns_own_add() {\n');
    await expect(provider.check?.(signal)).rejects.toMatchObject(
      refusal(/dns_own\.sh cannot be used: .*yntax error/),
    );
  });

  it('tells of a program that is missing', async () => {
    const bin = join(testFolder('bin'), 'bin');
    mkdirSync(bin);
    for (const program of ['mktemp', 'mkdir', 'rm', 'sed', 'id']) {
      const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
      symlinkSync(stdout.trim(), join(bin, program));
    }
    const { provider } = await given({ options: { env: { PATH: bin } } });
    await expect(provider.check?.(signal)).rejects.toThrow('the program curl is not there');
  });

  it('tells whether the script can be run as another user', async () => {
    const [user, shim] = [
      '65534:65534',
      fileURLToPath(new URL('../../providers/acmesh/shim.sh', import.meta.url)),
    ];
    const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-r', shim];
    const isPossible = spawnSync('setpriv', asNobody).status === 0;
    const options = { runAs: user, env: { TMPDIR: '/tmp' } };
    const { provider } = await given({ add: '_err "I am $(id -u):$(id -g)" || return 1', options });
    if (!isPossible) return expect(provider.check?.(signal)).rejects.toMatchObject({ name: 'AgentError' });
    await provider.check?.(signal);
    const { outcomes } = await provider.apply(zone, [add], signal);
    expect(outcomes).toMatchObject([{ ok: false, error: { message: /I am 65534:65534/ } }]);
  });
});
