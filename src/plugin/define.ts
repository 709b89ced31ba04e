import type { z } from 'zod';
import type { Deployer, Notifier } from '../core/ports.ts';
import type { DnsProvider, ProviderTraits } from '../core/provider.ts';
import type { PluginContext } from './context.ts';

/** What all plugins say of themselves; the one source of validation, help and generated documentation. */
interface PluginFacts<Options> {
  /** Value of `provider:`, `target:` or `notifier:` in the configuration file. */
  readonly name: string;
  readonly title: string;
  /** The vendor's documentation. */
  readonly docs?: string | undefined;
  /** Strict object schema; each field with `.describe()`; secrets with `secretText()`. */
  readonly options: z.ZodType<Options>;
  /** What a user must know: limits, pitfalls, unconfirmed facts. */
  readonly notes?: readonly string[] | undefined;
}

export interface DnsProviderDefinition<Options> extends PluginFacts<Options> {
  readonly kind: 'dns';
  readonly traits: ProviderTraits;
  /** The vendor's page where credentials are made. */
  readonly credentials?: string | undefined;
  /** Least rights, ready to paste at the vendor. */
  readonly leastPrivilege?: string | undefined;
  /** Called once an account; makes no request. */
  create(options: Options, context: PluginContext): DnsProvider | Promise<DnsProvider>;
}

export interface DeployTargetDefinition<Options> extends PluginFacts<Options> {
  readonly kind: 'deploy';
  create(options: Options, context: PluginContext): Deployer | Promise<Deployer>;
}

export interface NotifierDefinition<Options> extends PluginFacts<Options> {
  readonly kind: 'notify';
  create(options: Options, context: PluginContext): Notifier | Promise<Notifier>;
}

/** Of any options: each definition parses its own. */
export type AnyDefinition =
  | DnsProviderDefinition<unknown>
  | DeployTargetDefinition<unknown>
  | NotifierDefinition<unknown>;

export function defineDnsProvider<Options>(
  definition: Omit<DnsProviderDefinition<Options>, 'kind'>,
): DnsProviderDefinition<Options> {
  return { kind: 'dns', ...definition };
}

export function defineDeployTarget<Options>(
  definition: Omit<DeployTargetDefinition<Options>, 'kind'>,
): DeployTargetDefinition<Options> {
  return { kind: 'deploy', ...definition };
}

export function defineNotifier<Options>(
  definition: Omit<NotifierDefinition<Options>, 'kind'>,
): NotifierDefinition<Options> {
  return { kind: 'notify', ...definition };
}
