import type { ProbeFinding } from '../core/deploy/sight.ts';
import type { ProbeAnswer, ProbedTarget } from '../operations/probe.ts';
import { relative, sentence } from '../operations/words.ts';
import { type ExitCode, exitCodes } from './exit.ts';

const words: Readonly<Record<ProbeFinding['level'], string>> = { right: 'ok', amiss: 'AMISS', unknown: '-' };

/** The text of `probe`: one line an address. */
export function renderProbe(answer: ProbeAnswer): string {
  const { host, targets, notes, asOf } = answer;
  const lines = targets.flatMap(({ target, findings }) =>
    findings.map(
      (finding) =>
        `${words[finding.level].padEnd(7)}${whereOf(finding, target)} ${sentence(finding.message)}`,
    ),
  );
  const heading = targets.some(({ target }) => target === undefined)
    ? `${host}, where the DNS leads, for no target of its domain names servers to be looked at ("probe"):`
    : `${host}, as the agent sees it:`;
  const ends = [outcome(answer), ...targets.flatMap((one) => next(one, asOf))];
  return [heading, ...lines, ...notes.map((note) => `${words.unknown.padEnd(7)}${sentence(note)}`), ...ends]
    .map((line) => `${line}\n`)
    .join('');
}

/** A mismatch is a failure; what could not be seen leaves something undone. */
export function probeExit({ targets }: ProbeAnswer): ExitCode {
  const levels = new Set(targets.flatMap(({ findings }) => findings.map(({ level }) => level)));
  if (levels.has('amiss')) return exitCodes.failed;
  return levels.size === 1 && levels.has('right') ? exitCodes.ok : exitCodes.unfinished;
}

export function amissAddresses({ targets }: ProbeAnswer): readonly string[] {
  return targets.flatMap(({ findings }) =>
    findings.flatMap(({ level, address }) => (level === 'amiss' ? [address] : [])),
  );
}

function whereOf({ address, keyClass }: ProbeFinding, target: string | undefined): string {
  const kind = keyClass === undefined ? [] : [`(${keyClass === 'ec' ? 'ECDSA' : 'RSA'})`];
  return [...(target === undefined ? [] : [target]), address, ...kind].join(' ');
}

function outcome(answer: ProbeAnswer): string {
  switch (probeExit(answer)) {
    case exitCodes.ok:
      return 'Clients are shown what was deployed.';
    case exitCodes.failed:
      return 'Clients are shown something else than was deployed.';
    default:
      return answer.targets.some(({ findings }) => findings.some(({ level }) => level === 'right'))
        ? 'What was reached is right; of the rest nothing is known from here.'
        : 'Nothing is known from here of what clients are shown.';
  }
}

function next({ target, nextAt }: ProbedTarget, now: number): readonly string[] {
  if (target === undefined || nextAt === undefined) return [];
  return [`${target} is deployed anew ${nextAt <= now ? 'now' : relative(nextAt, now)}.`];
}
