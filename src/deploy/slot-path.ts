import { join } from 'node:path';
import type { DeployRequest } from '../core/ports.ts';
import { targetError } from './fault.ts';

/** Where the files of one slot live. Readers know `link` only. */
export interface SlotPath {
  readonly root: string;
  /** `<root>/<domain>` */
  readonly domain: string;
  /** `<domain>/<name>`, a symbolic link to the generation that is served. */
  readonly link: string;
  /** `<domain>/.generations` */
  readonly generations: string;
  /** `<domain>/.generations/<name>`, one numbered directory a generation. */
  readonly store: string;
  /** What `link` says: relative, so that the tree can be mounted elsewhere. */
  linkText(generation: number): string;
  /** The generation that a link with this text names; undefined: it is not one of ours. */
  generationOf(linkText: string): number | undefined;
}

const wildcard = '_wildcard';
const rsaSuffix = '.rsa';

/** Most file systems hold no longer name. */
const longestName = 255;

/** Throws `deploy.target` for a domain or label that is no plain name, or that would share a path with another one. */
export function slotPath(root: string, slot: DeployRequest['slot']): SlotPath {
  return pathAt(root, safeName(root, slot.domain), slotName(root, slot));
}

/** Where the files lie of what is called so, below the root of a target. */
export function pathAt(root: string, domainName: string, name: string): SlotPath {
  const domain = join(root, domainName);
  const generations = join(domain, '.generations');
  const prefix = `.generations/${name}/`;

  return {
    root,
    domain,
    link: join(domain, name),
    generations,
    store: join(generations, name),
    linkText: (generation) => `${prefix}${generation}`,
    generationOf: (linkText) => {
      const number = linkText.startsWith(prefix) ? linkText.slice(prefix.length) : '';
      return parseGeneration(number);
    },
  };
}

/** The label as a plain name that no other slot of its domain has. */
export function slotName(root: string, { label, keyClass }: DeployRequest['slot']): string {
  if (label.startsWith(wildcard))
    throw targetError(root, `label ${label} would take the place of a wildcard`);
  if (label.endsWith(rsaSuffix)) throw targetError(root, `label ${label} would take the place of an RSA key`);
  return safeName(root, label.replace('*', wildcard) + (keyClass === 'rsa' ? rsaSuffix : ''));
}

/** One file for a slot, in a folder that all slots share. */
export function slotFile(root: string, slot: DeployRequest['slot']): string {
  const name = `${safeName(root, slot.domain)}+${slotName(root, slot)}.pem`;
  if (name.length > longestName)
    throw targetError(root, `${name} is longer than a file name may be; use a shorter label`);
  return join(root, name);
}

export function parseGeneration(name: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(name) ? Number(name) : undefined;
}

function safeName(root: string, name: string): string {
  const plain = /^[A-Za-z0-9_:][A-Za-z0-9_.:@-]*$/.test(name) && !name.includes('..');
  if (!plain) throw targetError(root, `${JSON.stringify(name)} cannot be used as a file name`);
  if (name.length > longestName)
    throw targetError(root, `${name} is longer than a file name may be; use a shorter label`);
  return name;
}
