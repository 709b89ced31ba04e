import { accountLock, accountLockMs } from '../core/account.ts';
import { toAgentError } from '../core/errors.ts';
import { acquireInTime } from '../core/locks.ts';
import type { AcmeAccountRecord, Ports } from '../core/ports.ts';
import type { FoundAccount, FoundCertificate } from './found.ts';
import { type IssuerChoice, issuerAt } from './issuers.ts';
import type { ImportItem } from './report.ts';

export type ImportAccountNeeds = Pick<Ports, 'accounts' | 'locks' | 'clock'> & {
  readonly choice: IssuerChoice;
  readonly dryRun: boolean;
};

const waitMs = 60_000;

/** An issuer has one account: of several the one that ordered the most certificates, and none where it has one already. */
export async function importAccounts(
  accounts: readonly FoundAccount[],
  certificates: readonly FoundCertificate[],
  needs: ImportAccountNeeds,
): Promise<readonly ImportItem[]> {
  const uses = (account: FoundAccount) =>
    certificates.filter(({ account: url }) => url !== undefined && url === account.url).length;
  const items: ImportItem[] = [];
  for (const account of accounts.toSorted((a, b) => uses(b) - uses(a))) {
    const about = { what: 'account' as const, at: account.at };
    try {
      const issuer = issuerAt(account.server, needs.choice);
      const isRival =
        needs.dryRun && items.some(({ into, outcome }) => into === issuer && outcome !== 'not taken');
      const note = 'the issuer gets another account of these, and it has only one';
      items.push(isRival ? { ...about, outcome: 'not taken', note } : await take(account, issuer, needs));
    } catch (error) {
      items.push({ ...about, outcome: 'not taken', note: toAgentError(error).message });
    }
  }
  return items;
}

async function take(found: FoundAccount, issuer: string, needs: ImportAccountNeeds): Promise<ImportItem> {
  const { accounts, clock, choice, dryRun } = needs;
  const about = { what: 'account' as const, at: found.at, into: issuer };
  const directoryUrl = choice.settings.issuerFacts?.[issuer]?.directoryUrl ?? found.server.name;
  const busy = `another change of the account at ${issuer}`;
  const wait = { name: accountLock(issuer), ttlMs: accountLockMs, waitMs, busy };
  const lock = await acquireInTime(wait, needs);
  try {
    const held = await accounts.get(issuer);
    if (held !== undefined && held.directoryUrl === directoryUrl) {
      if (isSame(held, found)) return { ...about, outcome: 'there already' };
      const note = `${issuer} has the account ${held.url ?? 'that is being opened'} already`;
      return { ...about, outcome: 'not taken', note };
    }
    if (dryRun) return { ...about, outcome: 'would be taken' };
    await accounts.put({
      issuer,
      directoryUrl,
      url: found.url,
      key: found.key,
      contacts: found.contacts,
      createdAt: clock.now(),
    });
    return { ...about, outcome: 'taken', note: found.url };
  } finally {
    await lock.release();
  }
}

/** Also when it got another key here since it was imported. */
function isSame(held: AcmeAccountRecord, found: FoundAccount): boolean {
  if (held.url !== undefined && held.url === found.url) return true;
  return Buffer.compare(held.key.reveal(), found.key.reveal()) === 0;
}
