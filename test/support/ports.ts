import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below the range that the kernel gives to outgoing connections, so that none of those takes a port we handed out. */
const lowest = 12_000;
const highest = 32_000;

/** Test processes that run at the same time each have a range of their own. */
const ranges = 8;
const width = (highest - lowest) / ranges;
const first = lowest + width * (Number(process.env.VITEST_POOL_ID ?? 0) % ranges);

const given = new Set<number>();

/** A loopback port that nobody listens on, for TCP and UDP; never the same one twice in a process, nor in two at once. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(first, first + width);
    if (given.has(port)) continue;
    given.add(port);
    if ((await tcpIsFree(port)) && (await udpIsFree(port))) return port;
  }
  throw new Error('no free loopback port found in 200 attempts');
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

function tcpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function udpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
