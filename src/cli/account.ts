import type { AccountList, AccountShown } from '../operations/accounts.ts';
import { when } from '../operations/words.ts';
import { facts, table } from './print.ts';

/** The text of `account list`. */
export function renderAccounts({ accounts }: AccountList): string {
  return table(
    ['ISSUER', 'STATE', 'ACCOUNT', 'CONTACTS'],
    accounts.map(({ issuer, state, url, contacts }) => [
      issuer,
      state,
      url ?? '-',
      contacts.map(address).join(',') || '-',
    ]),
  );
}

/** The text of `account show`. */
export function renderAccount({ account, asOf }: AccountShown): string {
  const at = (instant: number | undefined) => (instant === undefined ? undefined : when(instant, asOf));
  return facts([
    ['issuer', account.issuer],
    ['state', account.state],
    ['account', account.url],
    ['directory', account.directoryUrl],
    ['contacts', account.contacts.map(address).join(', ') || undefined],
    ['key thumbprint', account.thumbprint],
    ['made', at(account.createdAt)],
    ['key changed', at(account.rolledAt)],
    ['opened anew', at(account.reregisteredAt)],
    ['deactivated', at(account.deactivatedAt)],
  ]);
}

function address(contact: string): string {
  return contact.replace(/^mailto:/, '');
}
