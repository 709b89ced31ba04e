import { existsSync } from 'node:fs';
import { AgentError } from '../core/errors.ts';

const defaultPaths: readonly string[] = ['acme-agent.yaml', '/etc/acme-agent/acme-agent.yaml'];

/** The file named on the command line, else by ACME_AGENT_CONFIG, else the first default one that exists. */
export function configPath(
  option: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
  paths: readonly string[] = defaultPaths,
): string {
  const named = option ?? variables.ACME_AGENT_CONFIG;
  if (named !== undefined && named !== '') return named;
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new AgentError(
    'config.unreadable',
    `there is no configuration file ${paths.join(' or ')}; name one with --config FILE`,
  );
}
