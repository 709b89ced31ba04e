import { connect, createServer, type Socket } from 'node:net';

export interface Gate {
  readonly port: number;
  /** TCP (so TLS) connections opened so far. */
  connections(): number;
  /** Since the upstream last answered anything. */
  silentMs(): number;
  close(): Promise<void>;
}

/** Passes connections on untouched and counts them, so that a benchmark can say how many a client needs. */
export async function openGate(upstreamPort: number): Promise<Gate> {
  let count = 0;
  let heardAt = performance.now();
  const open = new Set<Socket>();
  const server = createServer((inner) => {
    count++;
    const outer = connect(upstreamPort, '127.0.0.1');
    outer.on('data', () => {
      heardAt = performance.now();
    });
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      // Nobody shall wait for an answer of a connection that is gone.
      socket.on('error', () => other.destroy());
      socket.on('close', () => open.delete(socket));
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = async () => {
    for (const socket of open) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port, connections: () => count, silentMs: () => performance.now() - heardAt, close };
}
