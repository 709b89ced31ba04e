import { readdir } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { Deployer } from '../core/ports.ts';
import type { PluginContext } from '../plugin/context.ts';
import { defineDeployTarget } from '../plugin/define.ts';
import { type Access, ensureRoot, resolveAccess, tryRoot } from './access.ts';
import { accessFields } from './access-fields.ts';
import { guarded, readIfThere } from './fault.ts';
import { fingerprintOf } from './fingerprint.ts';
import { createRuntime, sha1Of, unknownList } from './haproxy-runtime.ts';
import { createTalk, type RuntimeAddress } from './haproxy-socket.ts';
import { deployedIn } from './observed.ts';
import { pemFiles } from './pem-files.ts';
import { slotFile } from './slot-path.ts';
import { createTurns } from './turns.ts';
import { removeFile, sweepDrafts, writeDraft, writeWhole } from './whole-file.ts';

/** The runtime commands take words parted by blanks, and commands by semicolons. */
const plainPath = z
  .string()
  .refine((path) => isAbsolute(path) && /^[\w./@+-]+$/.test(path), {
    error: 'must be an absolute path of letters, digits and ./@+-_',
  })
  .transform((path) => resolve(path));

const options = z.strictObject({
  socket: z
    .string()
    .transform((text, context) => addressOf(text) ?? refuse(context))
    .describe(
      'The "stats socket" of HAProxy with "level admin": an absolute path, or 127.0.0.1:PORT; keys go over it unencrypted, so no other machine',
    ),
  path: plainPath.describe('Folder of the PEM files; HAProxy reads them when it starts'),
  crtList: plainPath
    .optional()
    .describe(
      'File that lists them, as "crt-list" of a bind line names it, written by the agent; default: none, the bind line names the folder itself ("crt PATH")',
    ),
  ...accessFields,
});

type Options = z.infer<typeof options>;

/** Certificates of a running HAProxy, replaced without a reload, and on disk for the next start. */
export const haproxy = defineDeployTarget<Options>({
  name: 'haproxy',
  title: 'HAProxy over its runtime API, without a reload',
  docs: 'https://docs.haproxy.org/2.6/management.html#9.3',
  options,
  notes: [
    'Tried with HAProxy 2.6 alone; its commands are documented since 2.2, and their answers are understood as the sources from 2.2 to 3.x write them. Before the first certificate its bind line needs one of another place: "bind :443 ssl crt /etc/haproxy/default.pem crt /etc/haproxy/acme" (the folder must exist at its start), or with "crtList" "ssl crt /etc/haproxy/default.pem crt-list /etc/haproxy/acme/list" (the file must).',
    'A certificate is set in a transaction and committed in one step: a handshake gets the old one or the new one. The file on disk follows, so that a restarted HAProxy has it.',
    'Observed: HAProxy shows the SHA-1 fingerprint of what it serves; that is compared with the certificate on disk, whose SHA-256 is recorded.',
    'HAProxy has one transaction at a time. A foreign one is waited for 5 s, then aborted.',
    'A certificate with key and chain must be shorter than tune.bufsize (16 KiB).',
  ],
  create: createHaproxyTarget,
});

interface Placement {
  readonly file: string;
  readonly pem: string;
  readonly access: Access;
  /** Clients are shown something else: it is put in once more. */
  readonly isAmiss: boolean;
}

/** All targets of this process that talk to one socket share its one transaction. */
const inTurn = createTurns();

function createHaproxyTarget(given: Options, context: PluginContext): Deployer {
  const { name, run, clock, log } = context;
  const { path, socket, crtList } = given;
  const list = crtList ?? path;
  const runtime = createRuntime(createTalk(socket, clock), clock);
  const address = JSON.stringify(socket);

  const observe: Deployer['observe'] = async (slot, signal) => {
    const file = slotFile(path, slot);
    const loaded = await runtime.loaded(file, signal);
    if (loaded?.sha1 === undefined || loaded.status !== 'Used') return undefined;
    const pem = await readIfThere(file);
    if (pem !== undefined && sha1Of(pem) === loaded.sha1) return fingerprintOf(pem);
    throw new AgentError('deploy.mismatch', `HAProxy serves another certificate for ${file} than lies there`);
  };

  /** Memory first, disk at once after: what refuses the draft or the certificate leaves both as they were. */
  async function place({ file, pem, access, isAmiss }: Placement, signal: AbortSignal): Promise<void> {
    await sweepDrafts(file, clock.now());
    const onDisk = await readIfThere(file);
    const loaded = await runtime.loaded(file, signal);
    const draft = onDisk === pem ? undefined : await writeDraft(file, pem, access);
    try {
      const isThere = !isAmiss && draft === undefined && loaded?.sha1 === sha1Of(pem);
      if (!isThere) await runtime.replace(file, pem, signal);
      await draft?.putInPlace();
    } catch (error) {
      await draft?.discard();
      throw error;
    }
    await writeList(access);
    if (!(await runtime.isListed(list, file, signal))) await runtime.list(list, file, signal);
  }

  /** Never names a file that is not there: HAProxy would not start. */
  async function writeList(access: Access, without?: string): Promise<void> {
    if (crtList === undefined) return;
    const files = (await pemNames()).map((one) => `${path}/${one}`).filter((file) => file !== without);
    const wanted = files.map((file) => `${file}\n`).join('');
    if ((await readIfThere(crtList)) !== wanted) await writeWhole(crtList, wanted, access);
  }

  async function pemNames(): Promise<readonly string[]> {
    const names = await guarded(path, () => readdir(path));
    return names.filter((one) => !one.startsWith('.') && /\+.*\.pem$/.test(one)).toSorted();
  }

  return {
    name,
    async deploy({ bundle, slot, amissAt }, signal) {
      const file = slotFile(path, slot);
      const access = await resolveAccess(given, run);
      signal.throwIfAborted();
      await ensureRoot(path, access);
      return inTurn(address, async () => {
        const pem = pemFiles(bundle)['combined.pem'];
        await place({ file, pem, access, isAmiss: amissAt !== undefined }, signal);
        const observed = await observe(slot, signal);
        if (observed === undefined)
          throw new AgentError('deploy.mismatch', `HAProxy does not serve ${file}, which was just put in`);
        log.info({ target: name, file }, 'certificate in force');
        return { observed };
      });
    },
    observe,
    async read(slot) {
      const pem = await readIfThere(slotFile(path, slot));
      return pem === undefined ? undefined : deployedIn(pem);
    },
    async remove(slot, signal) {
      signal.throwIfAborted();
      const file = slotFile(path, slot);
      await inTurn(address, async () => {
        await runtime.drop(list, file, signal);
        if ((await readIfThere(file)) === undefined) return;
        await writeList(await resolveAccess(given, run), file);
        await removeFile(file);
      });
    },
    async check(signal) {
      await tryRoot(path, given, run);
      if (!(await runtime.lists(signal)).includes(list)) throw unknownList(list);
    },
  };
}

function addressOf(text: string): RuntimeAddress | undefined {
  if (isAbsolute(text)) return { path: text };
  const [, host = '', port] = /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  return port === undefined ? undefined : { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function refuse(context: z.RefinementCtx<string>): never {
  context.addIssue({ code: 'custom', message: 'must be an absolute path, or 127.0.0.1:PORT' });
  return z.NEVER;
}
