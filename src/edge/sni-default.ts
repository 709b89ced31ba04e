import { createPrivateKey } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { fallbackRenewAt, fallbackValidity } from '../core/deploy/fallback.ts';
import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { writePem } from '../x509/pem.ts';
import type { TlsSettings } from './sni-contexts.ts';

/** PEM: the chain, leaf first, and its key. */
export interface DefaultCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What is shown where nothing is held. */
export interface ByDefault {
  context(): SecureContext;
  certificate(): DefaultCertificate;
}

interface Made {
  readonly certificate: DefaultCertificate;
  readonly context: SecureContext;
  readonly renewAt: Instant;
}

type Needs = Pick<Ports, 'pki' | 'clock' | 'log'>;

/** Of RFC 2606, so that it is right for no name at all. */
const name = 'default.invalid';

/**
 * The one given, or a self-signed one, which is made again before it expires. Its key is RSA: Node leaves it in place beside
 * the certificate of a name that has another kind of key, and nearly all clients rather take ECDSA.
 */
export async function createDefault(
  given: DefaultCertificate | undefined,
  tls: TlsSettings,
  needs: Needs,
): Promise<ByDefault> {
  const { clock, log } = needs;
  requireRsa(given);
  const fixed = given && { certificate: given, renewAt: Number.POSITIVE_INFINITY };
  let made: Made = ready(fixed ?? (await make(needs)), tls);
  let isMaking = false;

  async function renew(): Promise<void> {
    isMaking = true;
    try {
      made = ready(await make(needs), tls);
    } catch (error) {
      log.warn({ error }, 'the default certificate could not be made anew');
    }
    isMaking = false;
  }

  return {
    context: () => {
      if (clock.now() >= made.renewAt && !isMaking) void renew();
      return made.context;
    },
    certificate: () => made.certificate,
  };
}

function ready(made: Omit<Made, 'context'>, tls: TlsSettings): Made {
  return { ...made, context: createSecureContext({ ...tls, ...made.certificate }) };
}

async function make({ pki, clock }: Needs): Promise<Omit<Made, 'context'>> {
  const privateKey = await pki.generateKey('rsa2048');
  const { leafDer, notBefore, notAfter } = pki.selfSigned([name], privateKey, fallbackValidity(clock.now()));
  const certificate = { cert: writePem(leafDer), key: writePem(privateKey.reveal(), 'PRIVATE KEY') };
  return { certificate, renewAt: fallbackRenewAt({ notBefore, notAfter }) };
}

function requireRsa(given: DefaultCertificate | undefined): void {
  if (given === undefined || kindOf(given.key) === 'rsa') return;
  throw new AgentError('config.invalid', 'defaultCertificate needs PEM texts: cert, and key, an RSA key');
}

function kindOf(key: string): string | undefined {
  try {
    return createPrivateKey(key).asymmetricKeyType;
  } catch {
    return undefined;
  }
}
