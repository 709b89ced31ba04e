import { createBudget } from '../acme/budget.ts';
import { limitsOf } from '../acme/limits.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Budget, Ports } from '../core/ports.ts';

/** The ledger of the CAs' limits, as the file and the CAs name them. */
export function budgetOf(
  { config }: Pick<LoadedConfig, 'config'>,
  needs: Pick<Ports, 'buckets' | 'clock' | 'log'>,
): Budget {
  const issuers = config.issuers.map(({ name, directoryUrl, limits }) => ({
    name,
    directoryUrl,
    limits: limitsOf(directoryUrl, limits),
  }));
  return createBudget(issuers, needs);
}
