import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { AnyDefinition } from '../plugin/define.ts';
import type { Definitions } from './config.ts';

const agentFolder = dirname(fileURLToPath(import.meta.url));

const nouns = { dns: 'DNS provider', deploy: 'deploy target', notify: 'notifier' };

/**
 * The definitions that come with the agent, joined by those of plugins. A plugin is a path or a package name, looked up
 * from `folder`, then from the agent's own; it exports what `defineDnsProvider`, `defineDeployTarget` or
 * `defineNotifier` returned, one by one or as a list. `refused` is told of each plugin that cannot be used, by index.
 */
export async function joinPlugins(
  builtIn: readonly AnyDefinition[],
  { plugins, folder }: { readonly plugins: readonly string[]; readonly folder: string },
  refused: (index: number, error: AgentError) => void,
): Promise<Definitions> {
  const known = createRegistry();
  for (const definition of builtIn) known.add(definition, 'acme-agent');
  for (const [index, plugin] of plugins.entries()) {
    try {
      for (const definition of await load(plugin, folder)) known.add(definition, plugin);
    } catch (error) {
      refused(index, toAgentError(error));
    }
  }
  return known.definitions;
}

function createRegistry() {
  const definitions = {
    dns: new Map<string, Extract<AnyDefinition, { kind: 'dns' }>>(),
    deploy: new Map<string, Extract<AnyDefinition, { kind: 'deploy' }>>(),
    notify: new Map<string, Extract<AnyDefinition, { kind: 'notify' }>>(),
  };
  const owners = new Map<string, string>();
  function add(definition: AnyDefinition, owner: string): void {
    const { kind, name } = definition;
    const taken = owners.get(`${kind}:${name}`);
    if (taken !== undefined)
      throw new AgentError(
        'config.plugin',
        `the plugin ${owner} brings a ${nouns[kind]} "${name}", but ${taken} has one of that name: use one of them`,
      );
    owners.set(`${kind}:${name}`, owner);
    if (definition.kind === 'dns') definitions.dns.set(name, definition);
    else if (definition.kind === 'deploy') definitions.deploy.set(name, definition);
    else definitions.notify.set(name, definition);
  }
  return { definitions, add };
}

async function load(plugin: string, folder: string): Promise<readonly AnyDefinition[]> {
  const entry = findEntry(plugin, folder) ?? findEntry(plugin, agentFolder);
  if (entry === undefined)
    throw new AgentError(
      'config.plugin',
      `the plugin ${plugin} is not found: install it in ${folder}, or give its path`,
    );
  const exported = await importFile(plugin, entry);
  const found = new Set(Object.values(exported).flat().filter(isDefinition));
  if (found.size === 0)
    throw new AgentError(
      'config.plugin',
      `the plugin ${plugin} exports nothing made by defineDnsProvider, defineDeployTarget or defineNotifier`,
    );
  return [...found];
}

async function importFile(plugin: string, entry: string): Promise<object> {
  try {
    return await import(pathToFileURL(entry).href);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new AgentError('config.plugin', `the plugin ${plugin} does not load: ${reason}`, { cause });
  }
}

function isDefinition(value: unknown): value is AnyDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, options, create } = value as Partial<Record<string, unknown>>;
  // A plugin may have a copy of zod of its own: what counts is that its schema can parse.
  const parses = typeof options === 'object' && options !== null && 'safeParse' in options;
  return (
    Object.hasOwn(nouns, String(kind)) && typeof name === 'string' && typeof create === 'function' && parses
  );
}

/** The file to import; undefined: there is none. */
function findEntry(plugin: string, folder: string): string | undefined {
  if (/^\.{0,2}\//.test(plugin)) return entryOf(resolve(folder, plugin));
  const places = createRequire(join(folder, 'plugin')).resolve.paths(plugin) ?? [];
  const place = places.find((each) => existsSync(join(each, plugin)));
  return place === undefined ? undefined : entryOf(join(place, plugin));
}

function entryOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return path;
  const manifest = join(path, 'package.json');
  const facts: unknown = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : {};
  const { exports, main } = facts as { exports?: unknown; main?: unknown };
  const entry = conditional(exports) ?? (typeof main === 'string' ? main : 'index.js');
  return entryOf(join(path, entry));
}

/** The package's own entry for an import; Node resolves it only relative to our modules, not to a folder. */
function conditional(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const taken = Object.entries(exports).find(([key]) => ['.', 'node', 'import', 'default'].includes(key));
  return taken && conditional(taken[1]);
}
