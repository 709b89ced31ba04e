import type { Deployments, Issuances, IssuerHealth, Renewals } from '../core/ports.ts';
import { freshDeployment, freshRenewal, parseDeploymentId } from '../core/records.ts';
import { patience } from '../core/renewal/failover.ts';
import type { Deployment, LineageId, RenewalState } from '../core/types.ts';
import type { Base } from './base.ts';
import { decodeIssuance, decodeVersioned, versionOf } from './codec.ts';
import { defineScript, runScript } from './script.ts';

/** What is remembered of each lineage between attempts. */
export function createRenewals({ link, keys, tolerate }: Base): Renewals {
  async function many(lineages: readonly LineageId[]): Promise<readonly RenewalState[]> {
    if (lineages.length === 0) return [];
    const found = await link.run((client) => client.hmget(keys.renewals, ...lineages));
    return lineages.map((lineage, index) => {
      const text = found[index];
      const fresh = freshRenewal(lineage);
      if (typeof text !== 'string') return fresh;
      const read = () => decodeVersioned<RenewalState>(text, `the renewal state of ${lineage}`);
      return tolerate(read, { ...fresh, version: versionOf(text) });
    });
  }

  return {
    many,
    get: async (lineage) => (await many([lineage]))[0] ?? freshRenewal(lineage),
  };
}

/** Orders under way. */
export function createIssuances({ link, keys, crypt, tolerate }: Base): Issuances {
  return {
    get: async (lineage) => {
      const text = await link.run((client) => client.hget(keys.issuances, lineage));
      return text === null ? undefined : tolerate(() => decodeIssuance(text, lineage, crypt), undefined);
    },
    all: () => link.run((client) => client.hkeys(keys.issuances)),
  };
}

/** What each target shows of each lineage. */
export function createDeployments({ link, keys, tolerate }: Base): Deployments {
  function read(text: string, target: string, lineage: LineageId): Deployment {
    const fresh = { ...freshDeployment(target, lineage), version: versionOf(text) };
    return tolerate(() => decodeVersioned<Deployment>(text, `the deployment ${target}|${lineage}`), fresh);
  }

  async function get(target: string, lineage: LineageId): Promise<Deployment | undefined> {
    const text = await link.run((client) => client.hget(keys.deployments(lineage), target));
    return text === null ? undefined : read(text, target, lineage);
  }

  return {
    get,
    of: async (lineage) => {
      const found = await link.run((client) => client.hgetall(keys.deployments(lineage)));
      return Object.entries(found).map(([target, text]) => read(text, target, lineage));
    },
    leaving: async () => {
      const ids = await link.run((client) => client.smembers(keys.leaving));
      const found = await Promise.all(
        ids.map(parseDeploymentId).map(({ target, lineage }) => get(target, lineage)),
      );
      return found.flatMap((one) => (one?.leaving === undefined ? [] : [one]));
    },
  };
}

/** KEYS: faults, breakers. ARGV: issuer, faults that open a breaker, now. */
const faultScript = defineScript(`
local count = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
if count >= tonumber(ARGV[2]) then redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3]) end
return count
`);

/** Faults of each issuer in a row, and since when they are too many. */
export function createIssuerHealth({ link, keys, clock }: Base): IssuerHealth {
  const own = [keys.issuerFaults, keys.issuerBreakers];
  return {
    openedAt: async (issuers) => {
      if (issuers.length === 0) return [];
      const found = await link.run((client) => client.hmget(keys.issuerBreakers, ...issuers));
      return found.map((at) => (at === null ? undefined : Number(at)));
    },
    fault: async (issuer) => {
      const input = { keys: own, args: [issuer, patience, clock.now()] };
      return Number(await link.run((client) => runScript(client, faultScript, input)));
    },
  };
}
