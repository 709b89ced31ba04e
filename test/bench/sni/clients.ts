import { once } from 'node:events';
import { connect } from 'node:tls';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** TLS clients on a thread of their own. */
export interface Clients {
  /** Handshakes a second with the server at a port, one name after the other. */
  rate(port: number, ms: number): Promise<number>;
  stop(): Promise<unknown>;
}

interface Order {
  readonly port: number;
  readonly ms: number;
}

const atOnce = 8;

export async function startClients(names: readonly string[]): Promise<Clients> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { names } });
  await once(worker, 'online');
  return {
    rate: async (port, ms) => {
      const answer = once(worker, 'message');
      worker.postMessage({ port, ms } satisfies Order);
      return Number((await answer)[0]);
    },
    stop: () => worker.terminate(),
  };
}

async function measure({ port, ms }: Order, names: readonly string[]): Promise<number> {
  let done = 0;
  const start = performance.now();
  const loop = async () => {
    while (performance.now() - start < ms) {
      await shake(port, names[Math.floor(Math.random() * names.length)] ?? '');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  return (done * 1_000) / (performance.now() - start);
}

async function shake(port: number, servername: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.destroy();
}

if (!isMainThread)
  parentPort?.on('message', (order: Order) => {
    void measure(order, workerData.names).then((rate) => parentPort?.postMessage(rate));
  });
