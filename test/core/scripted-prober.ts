import type { ProbeQuestion, Prober, Served, Sight } from '../../src/core/ports.ts';
import type { Certificate } from '../../src/core/types.ts';

/** Servers that clients see; none is reached until a test says so. */
export interface ScriptedProber extends Prober {
  sights: (question: ProbeQuestion) => readonly Sight[] | Promise<readonly Sight[]>;
  readonly asked: ProbeQuestion[];
}

export function createScriptedProber(): ScriptedProber {
  const asked: ProbeQuestion[] = [];
  const scripted: ScriptedProber = {
    asked,
    sights: ({ at }) => [unreachable(`${at.host}:${at.port}`)],
    look: async (question) => {
      asked.push(question);
      return scripted.sights(question);
    },
  };
  return scripted;
}

export function unreachable(address: string): Sight {
  return { address, kind: 'unreachable', message: 'nothing listens there' };
}

/** A server that shows this certificate, with its whole chain. */
export function shows(address: string, certificate: Certificate, more: Partial<Served> = {}): Sight {
  const { fingerprint, names, serial, issuerName, notBefore, notAfter, source } = certificate;
  const isSelfSigned = source === 'self-signed';
  return {
    address,
    kind: 'served',
    served: { chain: [fingerprint], names, serial, issuerName, isSelfSigned, notBefore, notAfter, ...more },
  };
}
