import { z } from 'zod';
import type { Answer } from './proxy-upstream.ts';

const directoryKinds = [
  'newNonce',
  'newAccount',
  'newOrder',
  'revokeCert',
  'keyChange',
  'renewalInfo',
] as const;

export type CallKind =
  | 'directory'
  | (typeof directoryKinds)[number]
  | 'account'
  | 'orders'
  | 'order'
  | 'authz'
  | 'chall'
  | 'finalize'
  | 'cert'
  | 'other';

/** What each path of a CA is, learned from its own answers, so that it holds for any CA. */
export interface KindTable {
  kindOf(path: string): CallKind;
  learn(kind: CallKind, path: string, answer: Answer): void;
  newNoncePath(): string;
}

const resource = z.object({
  authorizations: z.array(z.string()).catch([]),
  finalize: z.string().optional().catch(undefined),
  certificate: z.string().optional().catch(undefined),
  orders: z.string().optional().catch(undefined),
  challenges: z.array(z.object({ url: z.string() })).catch([]),
});

export function createKindTable(directoryPath: string): KindTable {
  const known = new Map<string, CallKind>([[directoryPath, 'directory']]);
  const note = (url: string | undefined, kind: CallKind) => {
    if (url !== undefined) known.set(new URL(url, 'https://ca.invalid').pathname, kind);
  };

  function kindOf(path: string): CallKind {
    const exact = known.get(path.split('?')[0] ?? path);
    if (exact !== undefined) return exact;
    // Renewal information has the certificate's id behind the directory's URL, alternate chains a number behind theirs.
    const parent = [...known].find(
      ([start, kind]) =>
        (kind === 'renewalInfo' || kind === 'cert') && path.startsWith(`${start.replace(/\/$/, '')}/`),
    );
    return parent?.[1] ?? 'other';
  }

  function learn(kind: CallKind, path: string, answer: Answer): void {
    if (kind === 'newOrder') note(answer.headers.location, 'order');
    if (kind === 'newAccount') note(answer.headers.location, 'account');
    const body = readJson(answer.body);
    if (kind === 'directory') {
      const urls = z.record(z.string(), z.unknown()).catch({}).parse(body);
      for (const name of directoryKinds) if (typeof urls[name] === 'string') note(urls[name], name);
      return;
    }
    const found = resource.safeParse(body);
    if (!found.success) return;
    const { authorizations, finalize, certificate, orders, challenges } = found.data;
    for (const url of authorizations) note(url, 'authz');
    for (const { url } of challenges) note(url, 'chall');
    note(finalize, 'finalize');
    note(certificate, 'cert');
    note(orders, 'orders');
    if (finalize !== undefined && kind === 'other') note(path, 'order');
  }

  return {
    kindOf,
    learn,
    newNoncePath: () => [...known].find(([, kind]) => kind === 'newNonce')?.[0] ?? directoryPath,
  };
}

/** The decoded payload of a JWS (RFC 7515 §7.2.2); undefined when it is empty or there is none. */
export function payloadOf(body: Buffer): unknown {
  const jws = z.object({ payload: z.string() }).safeParse(readJson(body));
  if (!jws.success || jws.data.payload === '') return undefined;
  return readJson(Buffer.from(jws.data.payload, 'base64url'));
}

function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
