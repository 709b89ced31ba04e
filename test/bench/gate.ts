import { connect, createServer, type Socket } from 'node:net';

export interface Gate {
  readonly port: number;
  /** TCP (so TLS) connections opened so far. */
  connections(): number;
  close(): Promise<void>;
}

/** Passes connections on untouched and counts them, so that a benchmark can say how many a client needs. */
export async function openGate(upstreamPort: number): Promise<Gate> {
  let count = 0;
  const open = new Set<Socket>();
  const server = createServer((inner) => {
    count++;
    const outer = connect(upstreamPort, '127.0.0.1');
    for (const socket of [inner, outer]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
    }
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = async () => {
    for (const socket of open) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port, connections: () => count, close };
}
