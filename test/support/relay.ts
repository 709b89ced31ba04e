import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { deferred } from './deferred.ts';
import { freePort } from './ports.ts';

export interface Relay {
  readonly port: number;
  /** Messages that came in over UDP or connections over TCP. */
  requests(): number;
  /** The next datagram reaches the server, but its answer is dropped, and so is that of its repetition. */
  loseAnswerOnce(): void;
  /** The next datagram is kept back until `release`. */
  hangOnce(): { readonly reached: Promise<void>; release(): void };
  /** No answer comes back any more once `isDone`, which is asked before each; resolves when the first is kept back. */
  withhold(isDone: () => Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

/** Stands between a client and the server at `port`, both on 127.0.0.1, over UDP and TCP. */
export async function startRelay(port: number): Promise<Relay> {
  const own = await freePort();
  const front = createSocket('udp4');
  const sockets = new Set<Socket>();
  const lost = new Set<string>();
  let requests = 0;
  let loseNext = false;
  let hang: { reached: () => void; released: Promise<void> } | undefined;
  let mayPass = async () => true;

  front.on('message', async (message, peer) => {
    requests++;
    const id = message.toString('hex', 0, 2);
    if (loseNext) lost.add(id);
    loseNext = false;
    const held = hang;
    hang = undefined;
    held?.reached();
    await held?.released;
    const back = createSocket('udp4');
    back.on('message', async (reply) => {
      back.close();
      if (!lost.has(id) && (await mayPass())) front.send(reply, peer.port, peer.address);
    });
    back.send(message, port, '127.0.0.1');
  });
  const tcp = createServer((socket) => {
    requests++;
    const upstream = createConnection({ port, host: '127.0.0.1' });
    socket.pipe(upstream);
    upstream.pipe(gate(() => mayPass())).pipe(socket);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  front.bind(own, '127.0.0.1');
  tcp.listen(own, '127.0.0.1');
  await Promise.all([once(front, 'listening'), once(tcp, 'listening')]);

  return {
    port: own,
    requests: () => requests,
    loseAnswerOnce() {
      loseNext = true;
    },
    hangOnce() {
      const [reached, released] = [deferred(), deferred()];
      hang = { reached: reached.resolve, released: released.promise };
      return { reached: reached.promise, release: released.resolve };
    },
    withhold(isDone) {
      const { promise, resolve } = deferred();
      mayPass = async () => {
        const isKept = await isDone();
        if (isKept) resolve();
        return !isKept;
      };
      return promise;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.all([once(front, 'close'), once(tcp, 'close')]);
      front.close();
      tcp.close();
      await closed;
    },
  };
}

/** What may not pass stops all that comes after it. */
function gate(mayPass: () => Promise<boolean>): Transform {
  return new Transform({
    transform(chunk, _encoding, pass) {
      mayPass().then((may) => may && pass(undefined, chunk), pass);
    },
  });
}
