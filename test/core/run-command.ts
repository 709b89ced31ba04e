import type { Caller, Operation, OperationNeeds } from '../../src/operations/define.ts';
import { noDnsCare } from '../support/no-dns-care.ts';
import type { World } from './world.ts';

/** A command, as a worker carries it out. */
export function runIn<Input, Output>(
  world: World,
  operation: Operation<Input, Output>,
  input: Input,
  caller: Caller = {},
): Promise<Output> {
  const unused = () => Promise.reject(new Error('not part of this story'));
  const accountChanges = { rollover: unused, deactivate: unused };
  const issuerCertificates = { fetch: unused };
  const needs: OperationNeeds = {
    ...world.store,
    ...world.needs,
    staging: world.gate.wrap('staging', world.store.staging),
    accountChanges,
    dnsCare: noDnsCare(),
    issuerCertificates,
    dnsProviders: () => [],
  };
  return world.run(operation.run(input, needs, caller));
}
