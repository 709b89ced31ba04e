import type { Deployments, Issuances, IssuerHealth, Renewals } from '../core/ports.ts';
import { freshRenewal } from '../core/records.ts';
import type { Deployment, LineageId, RenewalState } from '../core/types.ts';
import type { Base } from './base.ts';
import { decodeIssuance, decodeVersioned } from './codec.ts';

/** What is remembered of each lineage between attempts. */
export function createRenewals({ link, keys }: Base): Renewals {
  async function many(lineages: readonly LineageId[]): Promise<readonly RenewalState[]> {
    if (lineages.length === 0) return [];
    const found = await link.run((client) => client.hmget(keys.renewals, ...lineages));
    return lineages.map((lineage, index) => {
      const text = found[index];
      return typeof text === 'string' ? decodeVersioned<RenewalState>(text) : freshRenewal(lineage);
    });
  }

  return {
    many,
    get: async (lineage) => (await many([lineage]))[0] ?? freshRenewal(lineage),
  };
}

/** Orders under way. */
export function createIssuances({ link, keys, crypt }: Base): Issuances {
  return {
    get: async (lineage) => {
      const text = await link.run((client) => client.hget(keys.issuances, lineage));
      return text === null ? undefined : decodeIssuance(text, crypt);
    },
    all: () => link.run((client) => client.hkeys(keys.issuances)),
  };
}

/** What each target shows of each lineage. */
export function createDeployments({ link, keys }: Base): Deployments {
  return {
    get: async (target, lineage) => {
      const text = await link.run((client) => client.hget(keys.deployments(lineage), target));
      return text === null ? undefined : decodeVersioned<Deployment>(text);
    },
    of: async (lineage) => {
      const texts = await link.run((client) => client.hvals(keys.deployments(lineage)));
      return texts.map((text) => decodeVersioned<Deployment>(text));
    },
  };
}

/** Faults of each issuer in a row. */
export function createIssuerHealth({ link, keys }: Base): IssuerHealth {
  return {
    faults: async (issuers) => {
      if (issuers.length === 0) return [];
      const counts = await link.run((client) => client.hmget(keys.issuerFaults, ...issuers));
      return counts.map((count) => Number(count ?? 0));
    },
    fault: (issuer) => link.run((client) => client.hincrby(keys.issuerFaults, issuer, 1)),
  };
}
