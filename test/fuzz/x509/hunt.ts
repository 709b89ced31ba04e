import { AgentError } from '../../../src/core/errors.ts';
import { secret } from '../../../src/core/secret.ts';
import type { HandedIn } from '../../../src/core/types.ts';
import { readIssued } from '../../../src/x509/chain.ts';
import { readCrl } from '../../../src/x509/crl.ts';
import { readUpload } from '../../../src/x509/upload/read.ts';
import { forgedAt } from '../../support/forge.ts';
import { malformed } from '../../x509/upload/malformed/all.ts';
import { handIn, intermediate, leaf, names, pkcs12, whole } from '../../x509/upload/pki.ts';
import { mutate } from './mutate.ts';
import { createRandom, type Random } from './random.ts';

/** An input that was not answered as every input must be. */
export interface Finding {
  readonly number: number;
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
}

export interface Hunt {
  readonly inputs: number;
  readonly taken: number;
  readonly slowestMs: number;
  readonly finding?: Finding | undefined;
}

/** Of CPU: what others do on this machine does not count. */
const slowMs = 5_000;
const mostBytes = 300_000;

/**
 * Changes well-formed and malformed inputs at random and has them read, until `isOver`. Each must be taken or refused with
 * a sentence, and soon. The same seed makes the same inputs.
 */
export function hunt(seed: number, isOver: () => boolean): Hunt {
  const bases = [
    handIn(whole),
    handIn(pkcs12(whole), { password: 'open' }),
    ...malformed().map(({ files }) => files),
  ]
    .map(plainOf)
    .filter(({ certificate }) => certificate.length < mostBytes);
  const others = bases.flatMap(({ certificate, key, chain }) =>
    [certificate, key, chain].filter((one) => one !== undefined),
  );
  const random = createRandom(seed);
  let [inputs, taken, slowestMs] = [0, 0, 0];
  for (; !isOver(); inputs++) {
    const files = changed(random.pick(bases), random, others);
    const before = process.cpuUsage();
    const answer = read(files, random);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1000;
    slowestMs = Math.max(slowestMs, ms);
    if (answer === 'taken') taken++;
    const what = ms > slowMs ? `took ${Math.round(ms)} ms` : answer;
    if (what !== 'taken' && what !== 'refused')
      return { inputs, taken, slowestMs, finding: { number: inputs, what, files: texts(files) } };
  }
  return { inputs, taken, slowestMs };
}

interface Plain {
  readonly certificate: Buffer;
  readonly key?: Buffer | undefined;
  readonly chain?: Buffer | undefined;
  readonly password?: string | undefined;
}

function plainOf({ certificate, key, chain, password }: HandedIn): Plain {
  return {
    certificate: Buffer.from(certificate.reveal()),
    key: key && Buffer.from(key.reveal()),
    chain: chain && Buffer.from(chain.reveal()),
    password: password?.reveal(),
  };
}

function changed(
  { certificate, key, chain, password }: Plain,
  random: Random,
  others: readonly Buffer[],
): Plain {
  const part = random.int(key === undefined ? 1 : chain === undefined ? 2 : 3);
  return {
    certificate: part === 0 ? mutate(certificate, random, others) : certificate,
    key: part === 1 && key !== undefined ? mutate(key, random, others) : key,
    chain: part === 2 && chain !== undefined ? mutate(chain, random, others) : chain,
    password: random.int(20) === 0 ? 'another' : password,
  };
}

/** What is not foreseen, in words. */
function read(files: Plain, random: Random): string {
  const { certificate } = files;
  const now = forgedAt;
  try {
    const way = random.int(10);
    if (way === 0) readIssued(certificate.toString('latin1'), { names, privateKey: leafKey, now });
    else if (way === 1)
      readCrl(certificate, {
        url: 'http://ca.example/crl',
        issuerDer: intermediate.der,
        serials: ['01'],
        now,
      });
    else readUpload(handedIn(files), { now });
    return 'taken';
  } catch (error) {
    if (error instanceof AgentError && error.code !== 'bug' && error.message.length < 1_000) return 'refused';
    return error instanceof Error ? `${error.stack}` : String(error);
  }
}

const leafKey = secret<Uint8Array>(leaf.key.export({ type: 'pkcs8', format: 'der' }));

function handedIn({ certificate, key, chain, password }: Plain): HandedIn {
  return {
    certificate: secret<Uint8Array>(certificate),
    key: key && secret<Uint8Array>(key),
    chain: chain && secret<Uint8Array>(chain),
    password: password === undefined ? undefined : secret(password),
  };
}

function texts(files: Plain): Finding['files'] {
  const parts = Object.entries(files).filter(([, part]) => part !== undefined);
  return Object.fromEntries(parts.map(([name, part]) => [name, Buffer.from(part).toString('base64')]));
}
