import type { Caller, Operation, OperationNeeds } from '../../src/operations/define.ts';
import { noDnsCare } from '../support/no-dns-care.ts';
import type { CheapWorld } from './world.ts';

const unused = () => Promise.reject(new Error('not part of this story'));

/** A command, as a worker carries it out. */
export function runIn<Input, Output>(
  world: Pick<CheapWorld, 'store' | 'needs' | 'gate' | 'run'>,
  operation: Operation<Input, Output>,
  input: Input,
  caller: Caller = {},
): Promise<Output> {
  // A store in memory has none of these.
  const absent = {
    journal: absentPort<'journal'>(),
    accounts: absentPort<'accounts'>(),
    staging: absentPort<'staging'>(),
    hostAsks: absentPort<'hostAsks'>(),
  };
  const ports = { ...absent, ...world.store };
  const needs: OperationNeeds = {
    ...ports,
    ...world.needs,
    staging: world.gate.wrap('staging', ports.staging),
    accountChanges: { rollover: unused, deactivate: unused },
    dnsCare: noDnsCare(),
    issuerCertificates: { fetch: unused },
    dnsProviders: () => [],
  };
  return world.run(operation.run(input, needs, caller));
}

function absentPort<Name extends 'journal' | 'accounts' | 'staging' | 'hostAsks'>(): OperationNeeds[Name] {
  return new Proxy({} as OperationNeeds[Name], { get: () => unused });
}
