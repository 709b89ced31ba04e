/** What plugins have of the world that the program's own parts have as well. */

/** Small values that a plugin keeps between calls and processes, encrypted in the store. */
export interface PluginState {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

export interface Resolver {
  /** A and AAAA, in the order of the answers; empty: the host has none. */
  addresses(host: string, signal?: AbortSignal): Promise<readonly string[]>;
  txt(name: string, signal?: AbortSignal): Promise<readonly string[]>;
}
