import { afterEach, beforeEach } from 'vitest';
import type { AcmeSession } from '../../src/core/ports.ts';
import { type FakeCa, startFakeCa } from './fake-ca.ts';
import { layer, never } from './kit.ts';

export const names = ['a.example.com'];

// Of the test that runs now.
export let ca: FakeCa;
export let opened: ReturnType<typeof layer>;
export let session: AcmeSession;

/** Before each test of the file a CA of its own, and a session with it. */
export function useFakeCa(): void {
  beforeEach(async () => {
    ca = await startFakeCa();
    opened = layer({
      directoryUrl: ca.directoryUrl,
      trustPem: ca.trustPem,
      contacts: ['mailto:a@example.com'],
    });
    session = await opened.acme.session('ca', never);
  });

  afterEach(async () => {
    await opened.acme.close();
    await ca.stop();
  });
}

export function postsTo(path: string): FakeCa['requests'] {
  return ca.requests.filter((request) => request.path === path);
}
