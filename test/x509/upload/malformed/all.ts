import type { Malformed } from './case.ts';
import { malformedChains } from './chains.ts';
import { malformedFiles } from './files.ts';
import { malformedLeaves } from './leaves.ts';
import { malformedParts } from './parts.ts';
import { malformedPasswords } from './passwords.ts';

export function malformed(): readonly Malformed[] {
  return [
    ...malformedFiles(),
    ...malformedParts(),
    ...malformedLeaves(),
    ...malformedChains(),
    ...malformedPasswords(),
  ];
}
