import { loadConfig, readEnvironment } from '../config/load.ts';
import { type RunningAgent, type StartOptions, startAgent } from './start.ts';

/** An agent inside a program of one's own, as `acme-agent start` runs it. Rejects with AgentError, every mistake of the file at once. */
export async function createAgent(
  options: StartOptions & { readonly configFile: string },
): Promise<RunningAgent> {
  return startAgent(await loadConfig(options.configFile, readEnvironment().variables), options);
}
