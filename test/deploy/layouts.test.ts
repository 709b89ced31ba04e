import { execFileSync } from 'node:child_process';
import {
  constants,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { DeployRequest } from '../../src/core/ports.ts';
import { describeDeployTarget } from '../contract/deploy-target.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';
import { createFilesTarget, deployNow, makeBundle, signal, slot, slotOf, storeOf } from './fixture.ts';

type Layout = 'haproxy' | 'traefik' | 'envoy';
interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** As https://doc.traefik.io/traefik/https/tls/ has it. */
const dynamic = z.strictObject({
  tls: z.strictObject({
    certificates: z.array(z.strictObject({ certFile: z.string(), keyFile: z.string() })).min(1),
  }),
});

/** As https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret has it. */
const source = z.strictObject({ filename: z.string() });
const secrets = z.strictObject({
  resources: z.tuple([
    z.strictObject({
      '@type': z.literal('type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'),
      name: z.string(),
      tls_certificate: z.strictObject({ certificate_chain: source, private_key: source }),
    }),
  ]),
});

/** The files that a program would open, found as it finds them. */
const readers: Readonly<Record<Layout, (root: string) => readonly Pair[]>> = {
  haproxy(root) {
    const lines = readFileSync(join(root, 'crt-list.txt'), 'utf8').split('\n').slice(0, -1);
    return lines.map((file) => ({ certificate: file, key: file }));
  },
  traefik(root) {
    const text = readFileSync(join(root, 'traefik/certificates.yml'), 'utf8');
    const content: unknown = parse(text);
    if (content === null) return [];
    return dynamic
      .parse(content)
      .tls.certificates.map(({ certFile, keyFile }) => ({ certificate: certFile, key: keyFile }));
  },
  envoy(root) {
    return readdirSync(join(root, 'envoy')).map((file) => {
      const [{ name, tls_certificate }] = secrets.parse(
        JSON.parse(readFileSync(join(root, 'envoy', file), 'utf8')),
      ).resources;
      expect(file).toBe(`${name}.json`);
      return {
        certificate: tls_certificate.certificate_chain.filename,
        key: tls_certificate.private_key.filename,
      };
    });
  },
};

const layouts: readonly Layout[] = ['haproxy', 'traefik', 'envoy'];

function namedFor({ label, keyClass }: DeployRequest['slot'], pairs: readonly Pair[]): Pair | undefined {
  const name = label.replace('*', '_wildcard') + (keyClass === 'rsa' ? '.rsa' : '');
  return pairs.find(({ certificate }) =>
    ['', '.generations/'].some((below) => certificate.includes(`/example.com/${below}${name}/`)),
  );
}

for (const layout of layouts) {
  describeDeployTarget(`files for ${layout}`, async () => {
    const path = testFolder('files');
    const [generations, moved] = [join(path, 'example.com/.generations'), join(path, 'example.com/.moved')];
    return {
      create: () => createFilesTarget({ path, layout }),
      read: async (where) => {
        if (!readdirSync(path).includes('example.com')) return undefined;
        const pair = namedFor(where, readers[layout](path));
        return (
          pair && {
            certificatePem: readFileSync(pair.certificate, 'utf8'),
            keyPem: readFileSync(pair.key, 'utf8'),
          }
        );
      },
      breakTarget: async () => {
        renameSync(generations, moved);
        symlinkSync(moved, generations);
        return async () => {
          rmSync(generations);
          renameSync(moved, generations);
        };
      },
      close: async () => rmSync(path, { recursive: true }),
    };
  });

  it(`what ${layout} reads is of no other rights than the key, and leaves no draft`, async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path, layout, mode: '0640' });
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    await deployNow(target, { bundle: await makeBundle(['b.example.com']), slot: slotOf('b.example.com') });
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    for (const { parentPath, name } of files)
      expect(statSync(join(parentPath, name)).mode & 0o777).toBe(0o640);
    expect(files.filter(({ name }) => name.includes('draft'))).toEqual([]);
    expect(readers[layout](path)).toHaveLength(2);
  });

  it(`an index for ${layout} that somebody changed is a mismatch, and is written anew`, async () => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path, layout });
    const bundle = await makeBundle([slot.label]);
    await deployNow(target, { bundle, slot });
    const [file = ''] = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile() && /crt-list|certificates\.yml|\.json$/.test(one.name))
      .map(({ parentPath, name }) => join(parentPath, name));
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, '');
    await expect(target.observe(slot, signal)).rejects.toMatchObject({ code: 'deploy.mismatch' });
    await deployNow(target, { bundle, slot });
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(readdirSync(storeOf(path))).toEqual(['1']);
  });

  it(`many certificates placed at once, by two processes, are all in the index for ${layout}`, async () => {
    const path = testFolder('files');
    const [one, two] = [await createFilesTarget({ path, layout }), await createFilesTarget({ path, layout })];
    const labels = Array.from({ length: 12 }, (_, at) => `host-${at}.example.com`);
    await Promise.all(
      labels.map(async (label, at) => {
        const bundle = await makeBundle([label]);
        await (at % 2 === 0 ? one : two).deploy({ bundle, slot: slotOf(label) }, signal);
      }),
    );
    expect(readers[layout](path)).toHaveLength(labels.length);
    for (const label of labels) await one.remove?.(slotOf(label), signal);
    expect(readers[layout](path)).toEqual([]);
  });
}

it('a set that another process switched after we looked, and before we wrote, is in the index', async () => {
  const path = testFolder('files');
  const ours = await createFilesTarget({ path, layout: 'haproxy' });
  const theirs = await createFilesTarget({ path });
  const bundle = await makeBundle([slot.label]);
  const other = await makeBundle(['other.example.com']);
  // Who reads the index waits here, with what it is to say already worked out.
  const index = join(path, 'crt-list.txt');
  execFileSync('mkfifo', [index]);
  const deploying = deployNow(ours, { bundle, slot });
  const writer = await whenRead(index);
  await deployNow(theirs, { bundle: other, slot: slotOf('other.example.com') });
  await writer.close();
  await deploying;
  expect(readers.haproxy(path)).toHaveLength(2);
});

it('for Traefik and Envoy a new certificate is a new file, so that they see it', async () => {
  for (const layout of ['traefik', 'envoy'] as const) {
    const path = testFolder('files');
    const target = await createFilesTarget({ path, layout });
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    const [before] = readers[layout](path);
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    const [after] = readers[layout](path);
    expect(after?.certificate).not.toBe(before?.certificate);
    expect(readFileSync(before?.key ?? '', 'utf8')).toContain('PRIVATE KEY');
  }
});

it.each(['nginx', 'apache', 'caddy'] as const)(
  '%s has the five files, and nothing beside them',
  async (layout) => {
    const path = testFolder('files');
    const target = await createFilesTarget({ path, layout });
    await deployNow(target, { bundle: await makeBundle([slot.label]), slot });
    expect(readdirSync(path)).toEqual(['example.com']);
  },
);

/** A pipe can be opened to write, without waiting, once somebody reads it. */
async function whenRead(pipe: string): Promise<FileHandle> {
  let found: FileHandle | undefined;
  await until('the index is read', async () => {
    found = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    return found !== undefined;
  });
  if (found === undefined) throw new Error('nobody reads the index');
  return found;
}
