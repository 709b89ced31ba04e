import { AgentError } from '../core/errors.ts';
import type { RecursiveResolver } from './resolver.ts';

const maxHops = 10;

/** The name at the end of the CNAME chain that begins at `start`; most often `start` itself. Throws as `cnameChain`. */
export async function followCname(
  start: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<string> {
  return (await cnameChain(start, resolver, signal)).at(-1) ?? start;
}

/** All names from `start` to the end. Throws `dns.cname`, `dns.query`. */
export async function cnameChain(
  start: string,
  resolver: RecursiveResolver,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const chain = [start];
  for (let name = start; ; ) {
    const { answers } = await resolver.ask({ name, type: 'CNAME' }, signal);
    const alias = answers.find((record) => record.type === 'CNAME' && record.name === name);
    if (alias?.type !== 'CNAME') return chain;
    const loops = chain.includes(alias.value);
    name = alias.value;
    chain.push(name);
    if (!loops && chain.length <= maxHops + 1) continue;
    const words = chain.join(' → ');
    throw new AgentError(
      'dns.cname',
      loops
        ? `the CNAME chain of ${start} is a loop: ${words}`
        : `the CNAME chain of ${start} does not end within ${maxHops} hops: ${words}`,
      { facts: { name: start, chain } },
    );
  }
}
