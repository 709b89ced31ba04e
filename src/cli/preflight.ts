import type { Finding } from '../core/ports.ts';
import type { PreflightAnswer } from '../operations/preflight.ts';

const words: Readonly<Record<Finding['level'], string>> = { fine: 'ok', warning: 'WARNING', stop: 'STOPS' };

/** Each finding once, though several issuers may lead to it. */
export function renderPreflight({ names, challenge, mode, issuers }: PreflightAnswer): string {
  const shown = new Set<string>();
  const lines = issuers.flatMap(({ issuer, findings }) => [
    `${issuer}, for ${names.join(', ')} by ${challenge}:`,
    ...findings
      .filter(({ message }) => !shown.has(message) && shown.add(message))
      .map(({ level, message }) => `  ${words[level].padEnd(8)}${message}`),
    `  ${outcome(findings)}`,
  ]);
  const note = mode === 'on' ? [] : [`Orders are made all the same: preflight is ${mode} in the file.`];
  return [...lines, ...note].map((line) => `${line}\n`).join('');
}

function outcome(findings: readonly Finding[]): string {
  if (findings.some(({ level }) => level === 'stop')) return 'The CA would refuse it.';
  const isSure = findings.every(({ level }) => level === 'fine');
  return isSure ? 'Nothing is in the way of an order.' : 'An order may fail.';
}

/** Issuers at which nothing stops an order. */
export function openIssuers({ issuers }: PreflightAnswer): readonly string[] {
  return issuers
    .filter(({ findings }) => findings.every(({ level }) => level !== 'stop'))
    .map(({ issuer }) => issuer);
}
