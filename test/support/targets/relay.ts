import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { deferred } from '../deferred.ts';
import type { FaultKind, TargetServer } from './server.ts';

/** What a command meets that HAProxy has no right for. */
const refusal = 'Permission denied\n\n';

/** A way to the socket of a HAProxy that can fail any command; one connection is one command. */
export async function createFaultyRelay(
  path: string,
): Promise<Pick<TargetServer, 'faultAfter' | 'stop'> & { readonly address: string }> {
  let commands = 0;
  let planned: { at: number; kind: FaultKind; met: () => void } | undefined;
  const open = new Set<Socket>();

  const server = createServer({ allowHalfOpen: true }, (client) => {
    commands += 1;
    const fault = planned?.at === commands ? planned : undefined;
    open.add(client);
    client.on('error', () => undefined);
    client.once('close', () => open.delete(client));
    fault?.met();
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset-before') return void client.destroy();
    if (fault?.kind === '5xx') return void client.once('data', () => client.end(refusal)).resume();
    const real = connect(path);
    open.add(real);
    real.on('error', () => client.end());
    client.once('close', () => real.destroy());
    client.pipe(real);
    if (fault?.kind === 'reset-after') real.on('end', () => client.destroy()).resume();
    else real.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    faultAfter(more, kind) {
      const reached = deferred();
      let isMet = false;
      const met = () => {
        isMet = true;
        reached.resolve();
      };
      planned = { at: commands + more + 1, kind, met };
      return { met: reached.promise, hasMet: () => isMet };
    },
    async stop() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
