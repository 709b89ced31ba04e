import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RedisTap {
  readonly url: string;
  /** From now on each command to the server is shown, in the order of its connection, before it is passed on. */
  watch(see: (command: readonly Buffer[]) => Verdict): void;
  stop(): Promise<void>;
}

/**
 * pass: on to the server · withhold: neither this one nor anything later of any client reaches the server · `done`:
 * the server carries it out, no answer to anything reaches a client any more, then the function is called.
 */
export type Verdict = 'pass' | 'withhold' | { readonly done: () => void };

interface Client {
  readonly socket: Socket;
  readonly server: Socket;
}

const marker = 'the command before this one is carried out';
const echo = Buffer.from(`*2\r\n$4\r\nECHO\r\n$${marker.length}\r\n${marker}\r\n`);

/** Stands between clients and a Redis, and reads along. After a verdict other than `pass` it is deaf to who is there. */
export async function startRedisTap(redis: { readonly port: number }): Promise<RedisTap> {
  const clients = new Set<Client>();
  let see: (command: readonly Buffer[]) => Verdict = () => 'pass';

  function accept(socket: Socket): void {
    const server = connect({ port: redis.port, host: '127.0.0.1' });
    const client: Client = { socket, server };
    clients.add(client);
    let rest: Buffer = Buffer.alloc(0);
    let isDeaf = false;
    const end = () => {
      clients.delete(client);
      socket.destroy();
      server.destroy();
    };
    for (const one of [socket, server]) one.on('error', end).on('close', end);
    server.on('data', (data) => socket.write(data));
    socket.on('data', (data) => {
      if (isDeaf) return;
      rest = Buffer.concat([rest, data]);
      for (let found = readCommand(rest); found !== undefined; found = readCommand(rest)) {
        const bytes = rest.subarray(0, found.length);
        rest = rest.subarray(found.length);
        const verdict = see(found.parts);
        if (verdict === 'pass') {
          server.write(bytes);
          continue;
        }
        isDeaf = true;
        for (const each of clients) {
          each.socket.removeAllListeners('data');
          each.server.removeAllListeners('data');
        }
        if (verdict !== 'withhold') finish(server, bytes, verdict.done);
        return;
      }
    });
  }

  const listener = createServer(accept);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    watch: (next) => {
      see = next;
    },
    async stop() {
      for (const { socket, server } of clients) {
        socket.destroy();
        server.destroy();
      }
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Answers come in the order of the commands: when that of the marker is here, the one before has been carried out. */
function finish(server: Socket, bytes: Buffer, done: () => void): void {
  let answers = '';
  server.on('data', (data) => {
    const before = answers.includes(marker);
    answers = (answers + data.toString('latin1')).slice(-4096);
    if (!before && answers.includes(marker)) done();
  });
  server.write(Buffer.concat([bytes, echo]));
}

/** The first whole command of the buffer, which clients send as an array of bulk strings. */
function readCommand(
  data: Buffer,
): { readonly parts: readonly Buffer[]; readonly length: number } | undefined {
  const head = readNumber(data, 0);
  if (head === undefined) return undefined;
  const parts: Buffer[] = [];
  let at = head.next;
  for (let index = 0; index < head.value; index++) {
    const size = readNumber(data, at);
    if (size === undefined || data.length < size.next + size.value + 2) return undefined;
    parts.push(data.subarray(size.next, size.next + size.value));
    at = size.next + size.value + 2;
  }
  return { parts, length: at };
}

/** The number between a type byte and the end of its line. */
function readNumber(
  data: Buffer,
  from: number,
): { readonly value: number; readonly next: number } | undefined {
  const end = data.indexOf('\r\n', from);
  if (end < 0) return undefined;
  return { value: Number(data.toString('latin1', from + 1, end)), next: end + 2 };
}
