/** Package export "./plugin": all that a third-party DNS provider, deploy target or notifier needs. */
export type { ChildRequest, ChildResult, RunChild } from '../core/child.ts';
export { AgentError } from '../core/errors.ts';
export type { Http, HttpRequest, HttpResponse, TrustedRequest } from '../core/http.ts';
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
export { each, outcomeOf } from './each.ts';
export { baseUrlOption, secretText, ttlOption, withTtl } from './fields.ts';
export { nextLink, nextNumber, type Page, readPages } from './pages.ts';
export { quotedForm, quoteTxt, unquoteTxt } from './quoting.ts';
export {
  createRecordBatches,
  createRecords,
  type HeldRecord,
  listEachName,
  type RecordBatch,
  type RecordCalls,
  type RemovedRecord,
} from './records.ts';
export { createSession, type Opened, type Session } from './session.ts';
export { createSets, type SetCalls, type SetChange, type TxtForm, type TxtSet } from './sets.ts';
export {
  createVendorApi,
  type VendorAnswer,
  type VendorApi,
  type VendorApiOptions,
  type VendorFault,
} from './vendor-api.ts';
export type { OutgoingRequest, VendorRequest } from './vendor-request.ts';
export {
  absoluteName,
  findShownZone,
  findZoneByName,
  longestZone,
  relativeName,
  zoneCandidates,
} from './zones.ts';
