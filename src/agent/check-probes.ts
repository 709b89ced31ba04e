import type { DeployTargetConfig } from '../config/config.ts';
import type { Prober } from '../core/ports.ts';
import { counted } from '../operations/words.ts';
import type { Said } from './check-item.ts';

/** A name that no certificate is for (RFC 6761 §6.4): a server that refuses it is there. */
const anyName = 'acme-agent.invalid';

/** Whether the servers that a target names are reached from here. What they show for its hosts, the agent looks at. */
export async function tryProbes(
  { probe = [] }: Pick<DeployTargetConfig, 'probe'>,
  prober: Prober,
  signal: AbortSignal,
): Promise<Said> {
  const looks = probe.map((at) => prober.look({ at, name: anyName }, signal));
  const sights = (await Promise.all(looks)).flat();
  const away = sights.flatMap((sight) =>
    sight.kind === 'unreachable' ? [`${sight.address} (${sight.message})`] : [],
  );
  if (away.length === 0) return `${counted(sights.length, 'server')} reached`;
  return {
    warning: `not reached from here: ${away.join(', ')}`,
    advice:
      'Nothing is known of what such a server shows: let this machine reach it, or take it out of "probe".',
  };
}
