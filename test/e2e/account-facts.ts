import type { AccountShown } from '../../src/operations/accounts.ts';
import type { AgentSite } from '../support/agent.ts';
import type { TestProxy } from '../support/proxy.ts';

/** What the command shows of the account at an issuer. */
export async function shown(site: AgentSite, issuer = 'pebble'): Promise<AccountShown['account']> {
  return ((await site.json('account', 'show', issuer)) as AccountShown).account;
}

/** Accounts opened, without questions for one that is there. */
export function opened({ calls }: TestProxy): number {
  return calls.filter(({ kind, status, payload }) => {
    return kind === 'newAccount' && status === 201 && !JSON.stringify(payload).includes('onlyReturnExisting');
  }).length;
}
