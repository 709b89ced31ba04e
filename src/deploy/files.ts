import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Deployer } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import { together } from '../core/together.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { secretText } from '../plugin/fields.ts';
import { type AccessWish, resolveAccess, tryRoot } from './access.ts';
import { accessFields } from './access-fields.ts';
import { createIndex } from './index-files.ts';
import { type Layout, layouts } from './layout.ts';
import { readDeployed, readObserved } from './observed.ts';
import { pemFiles } from './pem-files.ts';
import { createPlacing } from './placing.ts';
import { runReload, tryReload } from './reload.ts';
import { createReloads } from './reloads.ts';
import { createRounds } from './rounds.ts';
import { type SlotPath, slotPath } from './slot-path.ts';

export interface FilesOptions extends AccessWish {
  readonly path: string;
  readonly layout?: Layout | undefined;
  readonly reload?: readonly string[] | undefined;
  readonly reloadTimeout: number;
  readonly reloadEnv: Readonly<Record<string, Secret<string>>>;
}

/** For all but the reload. */
const longestPlacingMs = 120_000;

const options: z.ZodType<FilesOptions> = z.strictObject({
  path: z
    .string()
    .refine(isAbsolute, {
      error: 'must be an absolute path, such as /etc/acme-agent/certs: other programs read there',
    })
    .describe('Directory that holds <domain>/<label>/ for each certificate; made if it is missing'),
  layout: z
    .enum(layouts)
    .optional()
    .describe(
      'Program that reads the files, for which more are written: haproxy, a crt-list file; traefik, a dynamic configuration; envoy, a secret (SDS) for each certificate. nginx, apache and caddy take the PEM files as they are',
    ),
  ...accessFields,
  reload: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Program and arguments to run after a change, without a shell: [nginx, -s, reload]; every user of this machine can read them, so secrets go into reloadEnv',
    ),
  reloadTimeout: z.number().positive().max(3600).default(30).describe('Seconds that the reload may take'),
  reloadEnv: z
    .record(z.string(), secretText())
    .default({})
    .describe(
      'Environment of the reload beside PATH, HOME and TMPDIR; masked in what is logged of its output',
    ),
});

/**
 * PEM files for proxies on this machine, at `<path>/<domain>/<label>/` (`*` in a label is written `_wildcard`, an RSA
 * certificate gets `.rsa` behind it): a symbolic link that one rename switches from one whole set of files to the next.
 */
export const files = defineDeployTarget<FilesOptions>({
  name: 'files',
  title: 'PEM files and a reload command',
  options,
  notes: [
    'fullchain.pem, chain.pem, cert.pem, privkey.pem and combined.pem (key, then chain: what HAProxy takes) are replaced as one.',
    'A program that opens several of the files one by one must be reloaded after a change; one that opens combined.pem, or resolves the link once, never sees a key of another certificate.',
    'nginx and Apache: name fullchain.pem and privkey.pem (Apache: SSLCertificateFile, SSLCertificateKeyFile), and reload. Caddy: "tls FULLCHAIN PRIVKEY", and "caddy reload --force". Without --force Caddy sees that its own configuration is the same, and reads nothing. Caddy has not been tried by us.',
    'layout haproxy: "bind :443 ssl crt /etc/haproxy/default.pem crt-list PATH/crt-list.txt", and reload; the target "haproxy" needs none.',
    'layout traefik: the file provider with "filename: PATH/traefik/certificates.yml" (or "directory") and "watch: true"; no reload; into a container mount the folder, since changes of a file mounted alone are not seen. layout envoy: a secret from a path_config_source with "path: PATH/envoy/DOMAIN+LABEL.json", named DOMAIN+LABEL, which must be there when Envoy reads its own configuration; no reload, since each change comes by a rename (where the folder itself is switched, as Kubernetes does with volumes, add "watched_directory"). Both are written after the documentation of these programs; they have not been tried with them.',
    'Reloads run one at a time, at most every 10 seconds; changes that come together share one.',
    'chain.pem holds the certificate itself when it has no issuer certificates (self-signed), since servers refuse an empty file.',
  ],
  create: createFilesTarget,
});

function createFilesTarget(given: FilesOptions, context: PluginContext): Deployer {
  const { name, run, clock, log } = context;
  const { reload: command, reloadEnv: env } = given;
  const timeoutMs = given.reloadTimeout * 1000;
  const reload = command && { target: name, command, timeoutMs, env };
  const place = createPlacing(context);
  const index = createIndex(given.path, given.layout);
  const reloads =
    reload &&
    createReloads({
      target: name,
      rounds: createRounds(given.path, name),
      reload: (signal) => {
        log.info({ target: name, command }, 'reloading');
        return runReload(reload, run, signal);
      },
      timeoutMs,
      clock,
    });

  async function observe(path: SlotPath): Promise<string | undefined> {
    const observed = await readObserved(path);
    if (observed !== undefined) await index.expect(path);
    return observed;
  }

  const deploy: Deployer['deploy'] = async (request, signal) => {
    const path = slotPath(given.path, request.slot);
    const access = await resolveAccess(given, run);
    signal.throwIfAborted();
    const generation = await place.put(path, { ...pemFiles(request.bundle) }, access);
    await index.update(access);
    const notYet = await reloads?.follow({ path, generation, access, since: request.amissAt }, signal);
    if (notYet !== undefined) return notYet;
    const observed = await observe(path);
    if (observed === undefined)
      throw new AgentError('deploy.mismatch', `${path.link}: what was just written there is gone`);
    return { observed };
  };

  return {
    name,
    longestMs: timeoutMs + longestPlacingMs,
    deploy,
    observe: async (slot) => observe(slotPath(given.path, slot)),
    read: async (slot) => readDeployed(slotPath(given.path, slot)),
    remove: async (slot, signal) => {
      signal.throwIfAborted();
      const path = slotPath(given.path, slot);
      // Before the files are gone: nothing may name what is not there.
      await index.update(await resolveAccess(given, run), path);
      await place.remove(path);
    },
    check: async (signal) => {
      await together([tryRoot(given.path, given, run), reload && tryReload(reload, run, signal)]);
    },
  };
}
