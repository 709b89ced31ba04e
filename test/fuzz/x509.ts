/**
 * `npm run fuzz -- x509 [MINUTES] [--seed=N]`: hands in changed certificates, keys, chains and PKCS #12 files for so many
 * minutes (default: 10). Ends with 1 at the first that is neither taken nor refused with a sentence, or not soon; it is
 * then written to `.cache/fuzz`.
 */

import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/root.ts';
import { type Hunt, hunt } from './x509/hunt.ts';

const roundMs = 30_000;

const args = process.argv.slice(2);
const minutes = Number(args.find((arg) => !arg.startsWith('--')) ?? 10);
const given = args.find((arg) => arg.startsWith('--seed='))?.slice(7);
const end = performance.now() + minutes * 60_000;

const say = (text: string) => process.stdout.write(`${text}\n`);

let seed = given === undefined ? randomInt(2 ** 32) : Number(given);
let inputs = 0;
let slowestMs = 0;
do {
  const roundEnd = Math.min(end, performance.now() + roundMs);
  const round = hunt(seed, () => performance.now() >= roundEnd);
  inputs += round.inputs;
  slowestMs = Math.max(slowestMs, round.slowestMs);
  say(
    `seed ${seed}: ${round.inputs} inputs, ${round.taken} taken, the slowest took ${Math.ceil(round.slowestMs)} ms of CPU`,
  );
  if (round.finding !== undefined) {
    report(seed, round);
    break;
  }
  seed = (seed + 1) % 2 ** 32;
} while (performance.now() < end);
say(`${inputs} inputs in all, the slowest took ${Math.ceil(slowestMs)} ms of CPU`);

function report(of: number, { finding }: Hunt): void {
  const folder = join(projectRoot, '.cache', 'fuzz');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `x509-${of}.json`);
  writeFileSync(file, JSON.stringify(finding, undefined, 2));
  say(`input ${finding?.number} ${finding?.what}\nIt is in ${file}; --seed=${of} brings it back.`);
  process.exitCode = 1;
}
