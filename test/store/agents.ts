import type { Store } from '../../src/store/index.ts';

/** Two agents on one store. */
export interface Agents {
  readonly store: Store;
  readonly other: Store;
}

/** The driver itself, to look behind the ports. */
export async function raw<T>(
  store: Store,
  work: (client: ReturnType<Store['createConnection']>) => Promise<T>,
): Promise<T> {
  const client = store.createConnection('wait');
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
