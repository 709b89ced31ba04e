import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { AgentError } from '../core/errors.ts';

const names = ['redis-server', 'valkey-server'];

/** The server program to run: the configured one, or the first on `path`. Throws `store.noServer` with the command that installs one. */
export async function findServer(configured: string | undefined, path: string): Promise<string> {
  if (configured !== undefined) {
    if (await isProgram(configured)) return configured;
    throw new AgentError('store.noServer', `${configured} is not a program that this agent may run`);
  }
  for (const name of names)
    for (const folder of path.split(delimiter).filter((part) => part !== '')) {
      const program = join(folder, name);
      if (await isProgram(program)) return program;
    }
  const advice = `install one: ${await installCommand()}`;
  throw new AgentError('store.noServer', `neither redis-server nor valkey-server is on the PATH; ${advice}`, {
    advice,
  });
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function installCommand(): Promise<string> {
  if (process.platform === 'darwin') return 'brew install redis';
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const family = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].map(([, value]) => value).join(' ');
  return installOn(family);
}

/** `family`: ID and ID_LIKE of os-release. */
export function installOn(family: string): string {
  if (/alpine/.test(family)) return 'apk add redis';
  if (/rhel|fedora|centos|amzn/.test(family)) return 'dnf install redis (or valkey)';
  if (/suse/.test(family)) return 'zypper install redis';
  if (/arch/.test(family)) return 'pacman -S valkey';
  return 'apt-get install redis-server';
}
