import { connect, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AbstractConnector, type Redis } from 'ioredis';
import { orAborted } from '../core/wait.ts';
import type { Endpoint } from './address.ts';
import type { Sentinels } from './sentinel.ts';

type ConnectorClass = new (options: unknown) => AbstractConnector;

/** A connection that still hangs after its orderly end is cut. */
const endMs = 2_000;
const masters = new WeakMap<object, Endpoint>();

/**
 * How the driver reaches the master that the sentinels name. The driver's own way loses a client whose search is cut, waits
 * for ever for a sentinel that does not answer, and hears of no failover before it has subscribed. Here a search that
 * fails looks like a connection that broke, so the driver tries again, and a connection ends as soon as a sentinel names
 * another master: what is written to the old one from then on is lost. A class, since the driver makes it.
 */
export function connectorTo(sentinels: Sentinels, tls: ConnectionOptions | undefined): ConnectorClass {
  return class MasterConnector extends AbstractConnector {
    #search = new AbortController();

    constructor() {
      super(endMs);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      this.#search = new AbortController();
      delete this.firstError;
      try {
        const master = await orAborted(sentinels.findMaster(), this.#search.signal);
        this.stream = this.#open(master);
      } catch (error) {
        this.firstError = error instanceof Error ? error : new Error(String(error));
        this.stream = new Socket().destroy();
      }
      return this.stream;
    }

    override check(info: { readonly role?: string }): boolean {
      const isMaster = info.role === undefined || info.role === 'master';
      if (!isMaster) sentinels.doubt();
      return isMaster;
    }

    override disconnect(): void {
      this.#search.abort(new Error('Connection is closed.'));
      super.disconnect();
    }

    #open(master: Endpoint): Socket {
      const { host, port } = master;
      const stream = tls === undefined ? connect({ host, port }) : connectTls({ ...tls, host, port });
      masters.set(stream, master);
      stream.once('error', (error) => {
        this.firstError = error;
        sentinels.doubt();
      });
      const stop = sentinels.watch((now) => {
        if (now.host !== host || now.port !== port) stream.destroy();
      });
      stream.once('close', stop);
      return stream;
    }
  };
}

/** What the sentinels call the server at the other end. */
export function masterOf(client: Redis): Endpoint | undefined {
  return masters.get(client.stream);
}
