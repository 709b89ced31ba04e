// Commands of one checkout that run at the same time. Needs nothing but Node.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const pollMs = 200;

/**
 * `alone`: one at a time, for what sets the checkout up. `enter`: this process runs from it until it ends. `settle`:
 * resolves when no other does. `refuse` is called when the folder cannot be written, and throws.
 */
export function createTurns(folder, { say, refuse }) {
  const lockFile = join(folder, 'bootstrap.lock');
  const running = join(folder, 'running');

  async function alone(work) {
    mkdirSync(folder, { recursive: true });
    for (let told = false; !takeLock(); told = true) {
      if (!told) say('waiting for another run that sets this checkout up');
      await pause();
    }
    const release = () => rmSync(lockFile, { force: true });
    process.once('exit', release);
    try {
      await work();
    } finally {
      process.off('exit', release);
      release();
    }
  }

  function takeLock() {
    if (create(lockFile, String(process.pid))) return true;
    if (!isAlive(readText(lockFile))) rmSync(lockFile, { force: true });
    return false;
  }

  function enter(name) {
    const file = join(running, String(process.pid));
    mkdirSync(running, { recursive: true });
    rmSync(file, { force: true });
    create(file, name);
    process.once('exit', () => rmSync(file, { force: true }));
  }

  async function settle() {
    for (let told = ''; ; await pause()) {
      const [other] = others();
      if (other === undefined) return;
      if (told === other.pid) continue;
      told = other.pid;
      say(
        `the sources are not those that "${other.name}" (process ${other.pid}) of this checkout runs from: waiting for it to end`,
      );
    }
  }

  function others() {
    mkdirSync(running, { recursive: true });
    return readdirSync(running).flatMap((pid) => {
      const file = join(running, pid);
      if (isAlive(pid)) return [{ pid, name: readText(file) ?? 'a command' }];
      rmSync(file, { force: true });
      return [];
    });
  }

  /** False if it is there already. */
  function create(file, text) {
    try {
      writeFileSync(file, text, { flag: 'wx' });
      return true;
    } catch (error) {
      if (error.code === 'EEXIST') return false;
      return refuse(file);
    }
  }

  return { alone, enter, settle };
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** undefined: whoever wrote it has gone; empty: is writing it. */
function isAlive(pid) {
  if (pid === undefined) return false;
  if (pid === '') return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return error.code === 'EPERM';
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}
