import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/root.ts';
import { testFolder } from '../support/run-folder.ts';
import { createFilesTarget, createManualClock, deployNow, makeBundle, slotOf } from './fixture.ts';

const signal = new AbortController().signal;
const slot = slotOf('a.example.com');

/**
 * A program of its own, so that it reads while we write. `resolve`: resolves the link once, then reads two files there;
 * `combined`: opens combined.pem. A set that is gone in mid-reading is resolved anew, as a reader would.
 */
const readerSource = `
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
const [, , how, link] = process.argv;
let enough = false;
const seen = { reads: 0, mismatches: 0, gone: 0, faults: [], fingerprints: new Set() };
function readOnce() {
  const at = how === 'resolve' ? realpathSync(link) : link;
  const certificate = readFileSync(at + (how === 'resolve' ? '/fullchain.pem' : '/combined.pem'), 'utf8');
  const key = how === 'resolve' ? readFileSync(at + '/privkey.pem', 'utf8') : certificate;
  const leaf = new X509Certificate(certificate);
  seen.reads += 1;
  seen.fingerprints.add(leaf.fingerprint256);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) seen.mismatches += 1;
}
function round() {
  for (let at = 0; at < 25; at += 1) {
    try { readOnce(); } catch (error) {
      if (error.code === 'ENOENT' && how === 'resolve') seen.gone += 1;
      else seen.faults.push(String(error));
    }
  }
  if (!enough && seen.reads > 100 && seen.fingerprints.size > 1) {
    enough = true;
    console.log('enough');
  }
  setImmediate(round);
}
process.stdin.on('end', () => {
  console.log(JSON.stringify({ ...seen, fingerprints: seen.fingerprints.size }));
  process.exit(0);
}).resume();
round();
console.log('reading');
`;

interface Seen {
  readonly reads: number;
  readonly mismatches: number;
  readonly gone: number;
  readonly faults: readonly string[];
  readonly fingerprints: number;
}

describe('a reader at full speed during 100 replacements', () => {
  it.each(['resolve', 'combined'])(
    'that goes by "%s" never sees a key of another certificate',
    async (how) => {
      const path = testFolder('files');
      const target = await createFilesTarget({ path });
      const bundles = await Promise.all(Array.from({ length: 5 }, () => makeBundle(['a.example.com'])));
      const replace = async (at: number) => {
        const bundle = bundles[at % bundles.length];
        if (bundle !== undefined) await target.deploy({ bundle, slot }, signal);
      };
      await replace(0);
      const reader = await startReader(how, join(path, 'example.com', 'a.example.com'));

      for (let at = 1; at <= 100 || !reader.hasSeenEnough(); at += 1) await replace(at);
      const seen = await reader.stop();

      expect(seen).toMatchObject({ mismatches: 0, faults: [] });
      expect(seen.gone).toBeLessThan(seen.reads / 10);
    },
    120_000,
  );
});

describe('a writer that dies', () => {
  let program = '';

  beforeAll(() => {
    program = compileWriter();
  });

  it('by SIGKILL at any point leaves a whole set behind the link, and its leftovers are cleaned', async () => {
    const path = testFolder('files');
    const clock = createManualClock();
    const target = await createFilesTarget({ path }, { clock });
    const store = join(path, 'example.com', '.generations', 'a.example.com');
    let interrupted = 0;
    for (let round = 0; round < 20; round += 1) {
      await runAndKill(program, path, Math.random() * 40);
      expect(await target.observe(slot, signal)).toMatch(/^[0-9a-f]{64}$/);
      const complete = readdirSync(store).length <= 3;
      if (!complete) interrupted += 1;
    }
    expect(interrupted).toBeGreaterThan(0);

    const bundle = await makeBundle(['a.example.com']);
    clock.advance(600_000);
    const observed = await deployNow(target, { bundle, slot });
    expect(observed).toBe(bundle.certificate.fingerprint);
    expect(readdirSync(store)).toHaveLength(3);
  });

  it('cannot write on after half a file: the old set stays and the new one is taken away', async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path });
    const bundle = await makeBundle(['a.example.com']);
    await target.deploy({ bundle, slot }, signal);

    // Files of at most one block of 1024 bytes: the chains do not fit.
    const limited = ['-c', 'ulimit -f 1; exec "$@"', 'limited', process.execPath, program, path];
    const writer = spawn('bash', limited, { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    writer.stderr.on('data', (data) => {
      output += data;
    });
    await once(writer, 'close');

    expect(output).toContain('deploy.target');
    expect(output).toMatch(/(fullchain|combined)\.pem/);
    expect(await target.observe(slot, signal)).toBe(bundle.certificate.fingerprint);
    expect(readdirSync(join(path, 'example.com', '.generations', 'a.example.com'))).toEqual(['1']);
  });
});

interface Reader {
  /** It has read a hundred times, and from two certificates at least. */
  hasSeenEnough(): boolean;
  stop(): Promise<Seen>;
}

async function startReader(how: string, link: string): Promise<Reader> {
  const script = join(testFolder('reader'), 'reader.mjs');
  writeFileSync(script, readerSource);
  const child = spawn(process.execPath, [script, how, link], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const said: string[] = [];
  lines.on('line', (line) => said.push(line));
  await once(lines, 'line');
  return {
    hasSeenEnough: () => said.includes('enough'),
    stop: async () => {
      child.stdin.end();
      await once(lines, 'close');
      return JSON.parse(said.at(-1) ?? '');
    },
  };
}

async function runAndKill(program: string, path: string, afterMs: number): Promise<void> {
  const writer = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(writer.stdout, 'data');
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  writer.kill('SIGKILL');
  await once(writer, 'close');
}

/** The writer as a program that Node runs by itself, with the checkout's packages. */
function compileWriter(): string {
  const folder = testFolder('writer');
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const options = { rootDir: projectRoot, outDir: folder, types: [], noCheck: true, declaration: false };
  const config = {
    extends: join(projectRoot, 'tsconfig.json'),
    compilerOptions: options,
    include: [],
    files: [join(projectRoot, 'test/deploy/crash-writer.ts')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' });
  return join(folder, 'test/deploy/crash-writer.js');
}
