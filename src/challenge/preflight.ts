import { setMaxListeners } from 'node:events';
import { isAddress } from '../core/address.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock, Finding, Preflight, PreflightQuestion } from '../core/ports.ts';
import { deadline } from '../core/wait.ts';
import { type CaaNeeds, checkCaa } from './caa-check.ts';
import { checkReach, type ReachNeeds, type Validation } from './reach-check.ts';

export interface LookNeeds extends CaaNeeds, ReachNeeds {
  /** undefined: a public CA, which goes to the web's ports and to no private address. */
  readonly validationAt: (issuer: string) => Validation | undefined;
  readonly clock: Clock;
}

const longestMs = 5000;

/** Looks at names as a CA would: the CAA records of all, and for HTTP-01 what their port 80 answers. */
export function createPreflight(needs: LookNeeds): Preflight {
  async function look(question: PreflightQuestion, signal: AbortSignal): Promise<readonly Finding[]> {
    const { names } = question;
    const late = () => new AgentError('dns.query', `no answer within ${longestMs / 1000} s`);
    const own = deadline(needs.clock, longestMs, late);
    const both = AbortSignal.any([signal, own.signal]);
    // Each query and fetch listens, and a certificate may have a hundred names.
    setMaxListeners(0, both);
    const looks = names.map((name) => lookAt(name, question, both));
    const findings = await Promise.all(looks).finally(own.cancel);
    signal.throwIfAborted();
    return findings.flat();
  }

  async function lookAt(
    name: string,
    question: PreflightQuestion,
    signal: AbortSignal,
  ): Promise<readonly Finding[]> {
    const { issuer, challenge } = question;
    const findings = await Promise.all([
      isAddress(name) ? [] : checkCaa(name, question, needs, signal),
      challenge.startsWith('dns-')
        ? []
        : checkReach({ name, challenge, validation: needs.validationAt(issuer) }, needs, signal),
    ]);
    return findings.flat();
  }

  return { look };
}
