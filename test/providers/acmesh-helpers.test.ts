import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createVerify, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../support/run-folder.ts';

/** What scripts call, with its input, and what they get: output, or exit code for those that only answer yes or no. */
interface Vector {
  readonly call: string;
  readonly input?: string | Buffer | undefined;
  readonly output?: string | Buffer | undefined;
  readonly code?: number | undefined;
}

const shim = fileURLToPath(new URL('../../providers/acmesh/shim.sh', import.meta.url));
const long = 'hello world, this is a long text which goes over the sixty-four characters of a line';
const json = '{\n  "a" : "b : c",\n  "n" : 5, "l": [ 1 ],\n "d" :{"e" :"f"}\n}\r\n';
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const message = Buffer.concat([Buffer.from('message\n'), allBytes]);
const hash = (algorithm: string) => createHash(algorithm).update(message);
const hmac = (algorithm: string, key: Buffer) => createHmac(algorithm, key).update(message);
const [shortKey, longKey] = [Buffer.from('kéy'), Buffer.from('k'.repeat(200))];

const texts: readonly Vector[] = [
  { call: '_url_encode', input: 'a b/c?d=é&~._-+%', output: 'a%20b%2fc%3fd%3d%c3%a9%26~._-%2b%25' },
  { call: '_url_encode upper-hex', input: 'a b/c?d=é', output: 'a%20b%2Fc%3Fd%3D%C3%A9' },
  { call: '_url_encode', input: 'x\ny', output: 'x%0ay' },
  { call: '_hex_dump', input: 'abc', output: ' 61 62 63' },
  {
    call: "_hex_dump | tr -d ' '",
    input: 'more than the sixteen of a line',
    output: Buffer.from('more than the sixteen of a line').toString('hex'),
  },
  { call: '_h2b', input: allBytes.toString('hex'), output: allBytes },
  { call: '_h2b', input: '4A4b 4C\n', output: 'JKL' },
  { call: "_getfield 'a,b,c' 2", output: 'b' },
  { call: "_getfield 'a=1&b=2&c=3' 3 '&'", output: 'c=3' },
  { call: "_getfield 'a,b' 5", output: 'b' },
  { call: "_getfield 'a,,c' 2", output: 'a' },
  { call: "_getfield 'abc' 1 '='", output: 'abc' },
  { call: '_normalizeJson', input: json, output: '{"a":"b : c","n" : 5, "l":[ 1 ],"d":{"e":"f"}}' },
  { call: '_normalizeJson \'{ "a" : "b" }\'', output: '{ "a":"b" }' },
  { call: '_json_decode', input: '{"u":"http:\\/\\/x\\/y"}', output: '{"u":"http://x/y"}' },
  { call: '_lower_case', input: 'ABC-x', output: 'abc-x' },
  { call: '_lower_case ABC', output: 'abc' },
  { call: '_upper_case', input: 'abc-X', output: 'ABC-X' },
  { call: '_math 2 + 3', output: '5' },
  { call: "_math 7 '*' 6 - 2", output: '40' },
  { call: '_head_n 2', input: '1\n2\n3\n', output: '1\n2\n' },
  { call: '_tail_n 2', input: '1\n2\n3\n', output: '2\n3\n' },
  { call: `_egrep_o '"id":"?[0-9]+'`, input: '"id":12,"id":"34"', output: '"id":12\n"id":"34\n' },
  { call: "_egrep_o '-[a-z]'", input: '-x', output: '-x\n' },
  { call: '__green "done\\n"; __red no', output: 'done\nno' },
  { call: '_idn xn--bcher-kva.test', output: 'xn--bcher-kva.test' },
  { call: "printf '%s' x >f; _sed_i 's/x/y/' f; cat f", output: 'y' },
  { call: 'f=$(_mktemp); [ -f "$f" ] && printf yes', output: 'yes' },
];

const answers: readonly Vector[] = [
  { call: `_contains '{"a":"b"}' '"a":"b"'`, code: 0 },
  { call: "_contains 'a.b' 'a\\.b'", code: 0 },
  { call: "_contains 'axb' 'a\\.b'", code: 1 },
  { call: "_contains 'axb' 'a.b'", code: 0 },
  { call: "_contains '-x' '-x'", code: 0 },
  { call: "_startswith 'OK done' OK", code: 0 },
  { call: "_startswith 'not OK' OK", code: 1 },
  { call: '_endswith _acme-challenge.a.test a.test', code: 0 },
  { call: '_endswith a.test.org a.test', code: 1 },
  { call: '_exists sh', code: 0 },
  { call: '_exists no-such-program', code: 1 },
  { call: '_err trouble', code: 1 },
  { call: '_usage trouble', code: 1 },
  { call: '_info x && _debug x y && _debug2 x && _debug3 x && _secure_debug x y && _log x', code: 0 },
  { call: '_resethttp && _sleep 0', code: 0 },
  { call: '_isRSA rsa.pem', code: 0 },
  { call: '_isRSA ec.pem', code: 1 },
  { call: '[ $(($(date -u +%s) - $(_time))) -le 60 ]', code: 0 },
  {
    call: "_utc_date | grep -x '20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]'",
    code: 0,
  },
];

const encodings: readonly Vector[] = [
  { call: '_base64', input: long, output: Buffer.from(long).toString('base64') },
  {
    call: '_base64 multiline | head -n 1 | tr -d "\\n"',
    input: long,
    output: Buffer.from(long).toString('base64').slice(0, 64),
  },
  { call: '_base64', input: allBytes, output: allBytes.toString('base64') },
  { call: '_dbase64', input: allBytes.toString('base64'), output: allBytes },
  { call: '_dbase64', input: 'aGVsbG8=\n', output: 'hello' },
  { call: '_base64 multiline | _dbase64 multiline', input: long, output: long },
  { call: '_url_replace', input: 'ab+/c==', output: 'ab-_c' },
  ...['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha3-256'].flatMap((algorithm): Vector[] => [
    { call: `_digest ${algorithm} hex`, input: message, output: hash(algorithm).digest('hex') },
    { call: `_digest ${algorithm}`, input: message, output: hash(algorithm).digest('base64') },
    ...[shortKey, longKey].flatMap((key): Vector[] => [
      {
        call: `_hmac ${algorithm} ${key.toString('hex').toUpperCase()} hex`,
        input: message,
        output: hmac(algorithm, key).digest('hex'),
      },
      {
        call: `_hmac ${algorithm} ${key.toString('hex')}`,
        input: message,
        output: hmac(algorithm, key).digest(),
      },
    ]),
  ]),
];

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const signing: readonly Vector[] = [
  { call: '_sign rsa.pem sha256', input: message },
  { call: "_sign rsa.pem 'sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1'", input: message },
];

const all = [...texts, ...answers, ...encodings, ...signing];

interface Outcome {
  readonly output: Buffer;
  readonly code: number;
}

/** One script calls them all: what counts is that they work as scripts meet them. */
function runAll(shell: string): readonly Outcome[] {
  const folder = testFolder('dnsapi');
  writeFileSync(join(folder, 'rsa.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  writeFileSync(join(folder, 'ec.pem'), ecKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const calls = all.map(({ call, input = '' }, index) => {
    writeFileSync(join(folder, `${index}.in`), input);
    return `( ${call}\n) <${index}.in >${index}.out; echo $? >${index}.code`;
  });
  const script = join(folder, 'dns_vectors.sh');
  writeFileSync(
    script,
    `dns_vectors_add() {\ncd ${folder}\n${calls.join('\n')}\n}\ndns_vectors_rm() { :; }\n`,
  );
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder };
  const options = { input: 'value\n', env, stdio: ['pipe', 'pipe', 'ignore'] as const };
  execFileSync(shell, [shim, 'add', script, '_acme-challenge.a.test'], {
    ...options,
    stdio: [...options.stdio],
  });
  return all.map((_, index) => ({
    output: readFileSync(join(folder, `${index}.out`)),
    code: Number(readFileSync(join(folder, `${index}.code`), 'utf8')),
  }));
}

describe.each(['sh', 'bash'])('what dnsapi scripts call, in %s', (shell) => {
  const outcomes = runAll(shell);
  const outcomeOf = (vector: Vector) => outcomes[all.indexOf(vector)];

  it.each([...texts, ...encodings])('$call', (vector) => {
    expect(outcomeOf(vector)?.output.toString('latin1')).toBe(
      Buffer.from(vector.output ?? '').toString('latin1'),
    );
  });

  it.each(answers)('$call ends with $code', (vector) => {
    expect(outcomeOf(vector)?.code).toBe(vector.code);
  });

  it.each(signing)('$call makes a signature that verifies', (vector) => {
    const signature = outcomeOf(vector)?.output.toString() ?? '';
    const options = vector.call.includes('pss') ? { padding: 6 } : {};
    const verify = createVerify('sha256').update(message);
    expect(verify.verify({ key: publicKey, ...options }, signature, 'base64')).toBe(true);
  });
});
