import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { AcmeAccountRecord } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { deadline } from '../core/wait.ts';
import { thumbprint } from '../x509/jwk.ts';
import { loadKey } from '../x509/key.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { configuredName } from './fields.ts';
import { commandEvent } from './renew.ts';
import { listed } from './words.ts';

const issuer = configuredName.describe('Name of the issuer, as in the configuration file');
/** Within the time that a command is waited for. */
const workMs = 50_000;

/**
 * none: the first order opens one · registering: the CA has not answered yet · changing-key: it has not confirmed the new
 * key yet · outdated: of the directory that this issuer had before.
 */
export type AccountState = 'none' | 'registering' | 'ok' | 'changing-key' | 'deactivated' | 'outdated';

/** The account of one issuer, without its key. */
export interface AccountView {
  readonly issuer: string;
  readonly state: AccountState;
  readonly directoryUrl?: string | undefined;
  readonly url?: string | undefined;
  readonly contacts: readonly string[];
  /** RFC 7638: the public name of its key. */
  readonly thumbprint?: string | undefined;
  readonly createdAt?: Instant | undefined;
  readonly rolledAt?: Instant | undefined;
  readonly reregisteredAt?: Instant | undefined;
  readonly deactivatedAt?: Instant | undefined;
}

export interface AccountShown {
  /** When this was read. */
  readonly asOf: Instant;
  readonly account: AccountView;
}

export interface AccountList {
  readonly asOf: Instant;
  readonly accounts: readonly AccountView[];
}

export const accountList = defineOperation({
  name: 'account.list',
  kind: 'read',
  method: 'GET',
  path: '/accounts',
  scope: 'read',
  summary: 'Lists the account at each issuer.',
  input: z.strictObject({}),
  run: async (_, needs): Promise<AccountList> => ({
    asOf: needs.clock.now(),
    accounts: await Promise.all(needs.settings().issuers.map((name) => viewOf(name, needs))),
  }),
});

export const accountShow = defineOperation({
  name: 'account.show',
  kind: 'read',
  method: 'GET',
  path: '/accounts/{issuer}',
  scope: 'read',
  summary: 'Shows the account at one issuer.',
  input: z.strictObject({ issuer }),
  run: async (input, needs): Promise<AccountShown> => {
    refuseUnknownIssuer(input.issuer, needs);
    return { asOf: needs.clock.now(), account: await viewOf(input.issuer, needs) };
  },
});

export const accountRollover = defineOperation({
  name: 'account.rollover',
  kind: 'write',
  method: 'POST',
  path: '/accounts/{issuer}/rollover',
  scope: 'admin',
  summary: 'Gives the account a new key; orders go on with it, on all agents.',
  input: z.strictObject({ issuer }),
  run: (input, needs, caller): Promise<AccountShown> => change('rollover', input.issuer, { needs, caller }),
});

export const accountDeactivate = defineOperation({
  name: 'account.deactivate',
  kind: 'write',
  method: 'POST',
  path: '/accounts/{issuer}/deactivate',
  scope: 'admin',
  summary: 'Closes the account for good; certificates stay valid, and orders go to the next issuer.',
  input: z.strictObject({
    issuer,
    confirm: configuredName
      .optional()
      .describe('The name of the issuer once more, for this cannot be undone'),
  }),
  run: async ({ issuer, confirm }, needs, caller): Promise<AccountShown> => {
    refuseUnknownIssuer(issuer, needs);
    if (confirm !== issuer)
      throw new AgentError(
        'command.invalid',
        `this closes the account at ${issuer} for good: it can never order, renew or revoke again; if that is meant, confirm it with the name of the issuer (--confirm ${issuer})`,
      );
    return change('deactivate', issuer, { needs, caller });
  },
});

async function change(
  what: 'rollover' | 'deactivate',
  issuer: string,
  { needs, caller }: { readonly needs: OperationNeeds; readonly caller: Caller },
): Promise<AccountShown> {
  refuseUnknownIssuer(issuer, needs);
  const late = () => new AgentError('acme.network', `${issuer} did not answer within ${workMs / 1000} s`);
  const { signal, cancel } = deadline(needs.clock, workMs, late);
  const record = await needs.accountChanges[what](issuer, signal).finally(cancel);
  const account = toView(issuer, record, needs);
  const { url, thumbprint } = account;
  const event = commandEvent(`account.${what}`, { issuer, account: url, thumbprint }, caller);
  await needs.changes.commit({ events: [event] });
  return { asOf: needs.clock.now(), account };
}

function refuseUnknownIssuer(name: string, { settings }: Pick<OperationNeeds, 'settings'>): void {
  const { issuers } = settings();
  if (!issuers.includes(name))
    throw new AgentError(
      'command.notFound',
      `the configuration file defines no issuer "${name}"; it defines: ${listed(issuers)}`,
    );
}

async function viewOf(issuer: string, needs: OperationNeeds): Promise<AccountView> {
  const record = await needs.accounts.get(issuer);
  return record === undefined ? { issuer, state: 'none', contacts: [] } : toView(issuer, record, needs);
}

function toView(
  issuer: string,
  record: AcmeAccountRecord,
  { settings }: Pick<OperationNeeds, 'settings'>,
): AccountView {
  const { key, nextKey: _, ...facts } = record;
  const directoryUrl = settings().issuerFacts?.[issuer]?.directoryUrl ?? facts.directoryUrl;
  const state = directoryUrl === facts.directoryUrl ? stateOf(record) : 'outdated';
  return { ...facts, state, thumbprint: thumbprint(loadKey(key)) };
}

function stateOf({ url, nextKey, deactivatedAt }: AcmeAccountRecord): AccountState {
  if (deactivatedAt !== undefined) return 'deactivated';
  if (url === undefined) return 'registering';
  return nextKey === undefined ? 'ok' : 'changing-key';
}
