import { afterAll, beforeAll, beforeEach } from 'vitest';
import { startWiredWorlds, type WiredWorld } from './wired-world.ts';
import { startWorlds, type World } from './world.ts';

/** Hands over a world of its own before each test of a file. */
export function eachWorld(take: (world: World) => void): void {
  each(startWorlds, take);
}

/** The same for worlds whose CAs are spoken to over HTTP. */
export function eachWiredWorld(take: (world: WiredWorld) => void): void {
  each(startWiredWorlds, take);
}

function each<T>(
  start: () => Promise<{ open(): Promise<T>; stop(): Promise<void> }>,
  take: (world: T) => void,
): void {
  let worlds: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    worlds = await start();
  });
  afterAll(() => worlds?.stop());
  beforeEach(async () => take(await worlds.open()));
}
