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
import { readDeployed, readObserved } from './observed.ts';
import { pemFiles } from './pem-files.ts';
import { createPlacing } from './placing.ts';
import { runReload, tryReload } from './reload.ts';
import { createReloads } from './reloads.ts';
import { createRounds } from './rounds.ts';
import { slotPath } from './slot-path.ts';

export interface FilesOptions extends AccessWish {
  readonly path: string;
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

  const deploy: Deployer['deploy'] = async (request, signal) => {
    const path = slotPath(given.path, request.slot);
    const access = await resolveAccess(given, run);
    signal.throwIfAborted();
    const generation = await place.put(path, { ...pemFiles(request.bundle) }, access);
    const notYet = await reloads?.follow({ path, generation, access }, signal);
    if (notYet !== undefined) return notYet;
    const observed = await readObserved(path);
    if (observed === undefined)
      throw new AgentError('deploy.mismatch', `${path.link}: what was just written there is gone`);
    return { observed };
  };

  return {
    name,
    longestMs: timeoutMs + longestPlacingMs,
    deploy,
    observe: async (slot) => readObserved(slotPath(given.path, slot)),
    read: async (slot) => readDeployed(slotPath(given.path, slot)),
    remove: async (slot, signal) => {
      signal.throwIfAborted();
      await place.remove(slotPath(given.path, slot));
    },
    check: async (signal) => {
      await together([tryRoot(given.path, given, run), reload && tryReload(reload, run, signal)]);
    },
  };
}
