import { AgentError } from '../errors.ts';
import type { Clock, Deployer } from '../ports.ts';
import { inTime } from '../wait.ts';

const usualMs = 5 * 60_000;

/** Nobody knows what a plugin does with its signal: a target must not hold up the others. */
export async function atTarget<T>(
  { name, longestMs = usualMs }: Deployer,
  work: (signal: AbortSignal) => Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  const late = () => new AgentError('deploy.target', `${name} was not done within ${longestMs / 1000} s`);
  return inTime({ clock, ms: longestMs, late, signal }, work);
}
