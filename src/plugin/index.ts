/** Package export "./plugin": all that a third-party DNS provider, deploy target or notifier needs. */
export type { ChildRequest, ChildResult, RunChild } from '../core/child.ts';
export { AgentError } from '../core/errors.ts';
export type { Http, HttpRequest, HttpResponse } from '../core/http.ts';
export type { PluginState, Resolver } from '../core/plugin.ts';
export type { Deployer, DeployRequest, Notice, Notifier } from '../core/ports.ts';
export type {
  ApplyResult,
  ChangeOutcome,
  DnsProvider,
  ProviderTraits,
  TxtChange,
  TxtRecord,
  ZoneRef,
} from '../core/provider.ts';
export { Secret } from '../core/secret.ts';
export type { PluginContext } from './context.ts';
export {
  type AnyDefinition,
  type DeployTargetDefinition,
  type DnsProviderDefinition,
  defineDeployTarget,
  defineDnsProvider,
  defineNotifier,
  type NotifierDefinition,
} from './define.ts';
export { secretText } from './fields.ts';
