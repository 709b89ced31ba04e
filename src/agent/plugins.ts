import type { Config } from '../config/config.ts';
import type { RunChild } from '../core/child.ts';
import { AgentError } from '../core/errors.ts';
import type { Http } from '../core/http.ts';
import type { PluginState, Resolver } from '../core/plugin.ts';
import type { Clock, Deployer, Deployers, Log, Notifier, Notifiers } from '../core/ports.ts';
import type { DnsAccount } from '../dns/index.ts';
import type { PluginContext } from '../plugin/context.ts';

/** What every plugin gets of the world. */
export interface PluginWorld {
  readonly http: Http;
  readonly run: RunChild;
  readonly resolver: Resolver;
  /** State of one plugin instance, by `<kind>/<name>`. */
  readonly state: (owner: string) => PluginState;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Plugins {
  readonly dnsAccounts: readonly DnsAccount[];
  readonly deployers: Deployers;
  readonly notifiers: Notifiers;
}

/** Makes the DNS accounts, deploy targets and notifiers that the configuration names. Makes no request. */
export async function createPlugins(config: Config, world: PluginWorld): Promise<Plugins> {
  const contextFor = (kind: string, name: string): PluginContext => ({
    name,
    http: world.http,
    run: world.run,
    resolver: world.resolver,
    state: world.state(`${kind}/${name}`),
    clock: world.clock,
    log: world.log.child({ [kind]: name }),
  });
  const dnsAccounts = await Promise.all(
    config.dnsAccounts.map(async ({ name, definition, options, zones, nameservers }) => ({
      name,
      provider: await definition.create(options, contextFor('dns', name)),
      kind: definition.name,
      zones,
      nameservers,
    })),
  );
  const deployers = await Promise.all(
    config.deployTargets.map(({ name, definition, options }) =>
      definition.create(options, contextFor('deploy', name)),
    ),
  );
  const notifiers = await Promise.all(
    config.notifiers.map(({ name, definition, options }) =>
      definition.create(options, contextFor('notify', name)),
    ),
  );
  return { dnsAccounts, deployers: toDeployers(deployers), notifiers: toNotifiers(notifiers) };
}

function toDeployers(list: readonly Deployer[]): Deployers {
  const byName = new Map(list.map((deployer) => [deployer.name, deployer]));
  return {
    get(name) {
      const deployer = byName.get(name);
      if (deployer !== undefined) return deployer;
      throw new AgentError('deploy.target', `the configuration file defines no deploy target "${name}"`);
    },
  };
}

function toNotifiers(list: readonly Notifier[]): Notifiers {
  const byName = new Map(list.map((notifier) => [notifier.name, notifier]));
  return { get: (name) => byName.get(name), all: () => list };
}
