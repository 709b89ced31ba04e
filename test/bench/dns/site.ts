import { type AgentSite, agentSite } from '../../support/agent.ts';
import type { TestPebble } from '../../support/pebble.ts';
import type { ServerProcess } from '../../support/process.ts';
import { createTail } from '../issuance/tail.ts';

export interface ZoneSiteOptions {
  readonly pebble: TestPebble;
  readonly dns: string;
  readonly account: object;
  readonly domains: readonly string[];
  readonly concurrency: number;
}

/** An agent without deploy targets whose domains each have a wildcard, proven through one DNS account. */
export async function zoneSite(options: ZoneSiteOptions): Promise<AgentSite> {
  const { pebble, dns, account, domains, concurrency } = options;
  const site = await agentSite({}, 'bench');
  const { directoryUrl: directory, caFile: trust } = pebble;
  site.configure({
    log: { level: 'info' },
    issuers: { pebble: { directory, trust, email: 'bench@example.test', agreeToTerms: true } },
    dnsAccounts: { zones: { nameservers: [dns], ...account } },
    resolvers: [dns],
    defaults: { dnsAccount: 'zones' },
    concurrency: { issuance: concurrency },
    domains: domains.map((name) => ({ name })),
  });
  return site;
}

/** `ms`: from the beginning of the order to the stored certificate. */
export type Outcome = 'failed' | { readonly at: number; readonly ms: number };

/** Of every attempt so far, from the agent's log. */
export function outcomesOf(server: ServerProcess): () => readonly Outcome[] {
  const tail = createTail(server);
  const outcomes: Outcome[] = [];
  return () => {
    for (const line of tail()) {
      if (line.includes('"msg":"certificate not issued"')) outcomes.push('failed');
      if (!line.includes('"msg":"certificate issued"')) continue;
      const { time, ms } = JSON.parse(line) as { time: string; ms: number };
      outcomes.push({ at: Date.parse(time), ms });
    }
    return outcomes;
  };
}
