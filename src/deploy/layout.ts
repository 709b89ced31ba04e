import { join } from 'node:path';

/** For which program the files are. */
export const layouts = ['nginx', 'apache', 'haproxy', 'caddy', 'traefik', 'envoy'] as const;
export type Layout = (typeof layouts)[number];

/** One certificate of a target, as it lies on disk. */
export interface PlacedSet {
  /** Plain, of this certificate alone: `<domain>+<label>`. */
  readonly name: string;
  /** The link that is switched from set to set. */
  readonly link: string;
  /** The directory that it leads to now. */
  readonly directory: string;
}

/** A file that tells a program of the sets. */
export interface IndexFile {
  /** Below the root of the target. */
  readonly file: string;
  readonly content: string;
}

/**
 * The files that a program reads beside the sets themselves; none for those whose configuration names the sets. Traefik
 * and Envoy look at nothing else for changes, so theirs name the directory and not the link: a new set is a new file, and
 * its key and certificate are of one set.
 */
export function indexFiles(layout: Layout | undefined, sets: readonly PlacedSet[]): readonly IndexFile[] {
  switch (layout) {
    case 'haproxy':
      return [{ file: 'crt-list.txt', content: lines(sets.map(({ link }) => join(link, 'combined.pem'))) }];
    case 'traefik':
      return [{ file: 'traefik/certificates.yml', content: traefik(sets) }];
    case 'envoy':
      return sets.map((set) => ({ file: `envoy/${set.name}.json`, content: secretOf(set) }));
    default:
      return [];
  }
}

/** Whether a program reads more than the sets. */
export function hasIndex(layout: Layout | undefined): boolean {
  return layout === 'haproxy' || layout === 'traefik' || layout === 'envoy';
}

/** Folder of index files that are one a set, and have to go with it. */
export function indexFolder(layout: Layout | undefined): string | undefined {
  return layout === 'envoy' ? 'envoy' : undefined;
}

/** Dynamic configuration of the file provider; JSON strings are YAML. */
function traefik(sets: readonly PlacedSet[]): string {
  // Traefik refuses an empty list.
  if (sets.length === 0) return '# no certificates yet\n';
  const entries = sets.map(({ directory }) => [
    `    - certFile: ${JSON.stringify(join(directory, 'fullchain.pem'))}`,
    `      keyFile: ${JSON.stringify(join(directory, 'privkey.pem'))}`,
  ]);
  return lines(['tls:', '  certificates:', ...entries.flat()]);
}

/** A resource of the secret discovery service; Envoy takes exactly one a file. */
function secretOf({ name, directory }: PlacedSet): string {
  const resource = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    name,
    tls_certificate: {
      certificate_chain: { filename: join(directory, 'fullchain.pem') },
      private_key: { filename: join(directory, 'privkey.pem') },
    },
  };
  return `${JSON.stringify({ resources: [resource] }, undefined, 2)}\n`;
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join('');
}
