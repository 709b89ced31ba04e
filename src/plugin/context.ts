import type { RunChild } from '../core/child.ts';
import type { Http } from '../core/http.ts';
import type { PluginState, Resolver } from '../core/plugin.ts';
import type { Clock, Log } from '../core/ports.ts';

/** What a plugin gets of the world. It opens nothing by itself. */
export interface PluginContext {
  /** Name of the account, target or notifier in the configuration file. */
  readonly name: string;
  readonly http: Http;
  readonly run: RunChild;
  readonly state: PluginState;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
}
