import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { findOnPath } from './path.ts';
import { run } from './run.ts';

/** A package folder of our own: the machine's package tools, without root and without touching its state. */
export interface PrivatePackages {
  /**
   * Unpacks packages, with those of their dependencies that the machine lacks, below `target`. `suite`: another
   * suite of the machine's own archive (undefined: what the machine itself uses). Rejects with what the tools said.
   */
  unpack(packages: readonly string[], suite: string | undefined, target: string): Promise<void>;
  /** Suites worth a look for something newer than the machine's own, best first. */
  readonly newerSuites: readonly string[];
  readonly backports: string | undefined;
}

/** Messages of rejections that another suite, or another package, will not help. */
export const archiveUnreachable = 'the package archive of this system cannot be reached';
export const noVerifier =
  'apt cannot check the signatures of the package archive: there is no gpgv on this machine';

/** Any of them will do for apt; without one it tells of unsigned repositories, which is not what is wrong. */
const verifiers = ['gpgv', 'gpgv2', 'gpgv1', 'sqv'];

interface Release {
  readonly id: string;
  readonly codename: string;
}

const keyrings: Readonly<Record<string, string>> = {
  debian: '/usr/share/keyrings/debian-archive-keyring.gpg',
  ubuntu: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
};

/** undefined on a machine without apt. */
export function privatePackages(folder: string): PrivatePackages | undefined {
  if (findOnPath('apt-get') === undefined || findOnPath('dpkg') === undefined) return undefined;
  const release = readRelease();
  return {
    newerSuites: release.id === 'ubuntu' ? ['devel'] : ['forky', 'testing', 'sid'],
    backports: release.codename === '' ? undefined : `${release.codename}-backports`,
    unpack: (packages, suite, target) => unpack({ folder, release, packages, suite, target }),
  };
}

interface Unpack {
  readonly folder: string;
  readonly release: Release;
  readonly packages: readonly string[];
  readonly suite: string | undefined;
  readonly target: string;
}

async function unpack(job: Unpack): Promise<void> {
  const options = await prepare(job);
  const archives = join(job.folder, 'archives', job.suite ?? 'own');
  rmSync(archives, { recursive: true, force: true });
  mkdirSync(archives, { recursive: true });
  const plan = await run([
    'apt-get',
    ...options,
    '-s',
    '--no-install-recommends',
    'install',
    ...job.packages,
  ]);
  const wanted = [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm)].map(
    ([, name, version]) => `${name}=${version}`,
  );
  if (wanted.length === 0) throw new Error(`apt-get would install nothing for ${job.packages.join(' ')}`);
  await apt([...options, 'download', ...wanted], archives);
  rmSync(job.target, { recursive: true, force: true });
  mkdirSync(job.target, { recursive: true });
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    await run(['dpkg', '-x', join(archives, file), job.target]);
  }
  rmSync(archives, { recursive: true, force: true });
}

/** Rejects with nothing but the errors of what it says. */
async function apt(args: readonly string[], cwd?: string): Promise<string> {
  try {
    return await run(['apt-get', '-o', 'APT::Get::Show-User-Simulation-Note=no', ...args], { cwd });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const errors = said.match(/^.*\bE: .*$/gm)?.map((line) => line.replace(/^.*?\bE: /, ''));
    throw new Error(errors?.join(', ') ?? said, { cause: error });
  }
}

/** Lists, sources and package status of our own; returns the options that make apt-get use them. */
async function prepare(job: Unpack): Promise<string[]> {
  if (!verifiers.some((program) => findOnPath(program))) throw new Error(noVerifier);
  const name = job.suite ?? 'own';
  const lists = join(job.folder, 'lists', name);
  const cache = join(job.folder, 'cache', name);
  const sources = join(job.folder, 'sources', name);
  mkdirSync(join(lists, 'partial'), { recursive: true });
  mkdirSync(join(cache, 'archives', 'partial'), { recursive: true });
  rmSync(sources, { recursive: true, force: true });
  mkdirSync(sources, { recursive: true });
  copySystemSources(sources);
  if (job.suite !== undefined) {
    writeFileSync(join(sources, 'suite.list'), await suiteLine(job.release, job.suite));
  }
  const status = join(job.folder, `status-${name}`);
  writeFileSync(status, statusWithout(job.packages));
  const options = [
    ...[
      '-o',
      `Dir::State::Lists=${lists}`,
      '-o',
      `Dir::State::status=${status}`,
      '-o',
      `Dir::Cache=${cache}`,
    ],
    ...['-o', 'Dir::Etc::sourcelist=/dev/null', '-o', `Dir::Etc::sourceparts=${sources}`],
    ...['-o', 'Debug::NoLocking=1', '-o', 'Acquire::Languages=none', '-o', 'Acquire::Retries=3'],
    ...(process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []),
    // The newest of all sources, also where the machine's pins prefer another.
    ...(job.suite === undefined ? [] : ['-t', job.suite]),
  ];
  await apt([...options.filter((option) => option !== '-t' && option !== job.suite), 'update']);
  // It counts an archive that it cannot reach as a warning.
  if (!readdirSync(lists).some((file) => file.includes('Packages'))) throw new Error(archiveUnreachable);
  return options;
}

function copySystemSources(target: string): void {
  const own = '/etc/apt/sources.list';
  if (existsSync(own)) copyFileSync(own, join(target, 'machine.list'));
  const parts = '/etc/apt/sources.list.d';
  if (!existsSync(parts)) return;
  for (const file of readdirSync(parts).filter((name) => /\.(list|sources)$/.test(name))) {
    copyFileSync(join(parts, file), join(target, basename(file)));
    chmodSync(join(target, basename(file)), 0o644);
  }
}

/** The archive that the machine itself uses, asked for another suite. */
async function suiteLine(release: Release, suite: string): Promise<string> {
  const targets = await run([
    'apt-get',
    'indextargets',
    '--format',
    '$(RELEASE) $(SITE) $(COMPONENT)',
    'Created-By: Packages',
  ]);
  const rows = targets.split('\n').map((line) => line.split(' '));
  const own = rows.filter(([name]) => name === release.codename || name === 'stable' || name === 'testing');
  const site = own[0]?.[1];
  if (site === undefined) throw new Error(`apt has no source for ${release.codename || 'this system'}`);
  const components = release.id === 'ubuntu' ? 'main universe' : 'main';
  const keyring = keyrings[release.id];
  const signed = keyring !== undefined && existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  return `deb ${signed}${site} ${suite} ${components}\n`;
}

/** The machine's package status as if `packages` were not installed: they are not usable, else we were not here. */
function statusWithout(packages: readonly string[]): string {
  const stanzas = readFileSync('/var/lib/dpkg/status', 'utf8').split(/\n\n+/);
  return `${stanzas
    .filter((stanza) => !packages.includes(/^Package: (\S+)/m.exec(stanza)?.[1] ?? ''))
    .join('\n\n')}\n`;
}

function readRelease(): Release {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const value = (key: string) => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  const family = `${value('ID')} ${value('ID_LIKE')}`;
  return {
    id: family.includes('ubuntu') ? 'ubuntu' : 'debian',
    codename: value('UBUNTU_CODENAME') || value('VERSION_CODENAME'),
  };
}
