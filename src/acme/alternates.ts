import type { Log } from '../core/ports.ts';
import { readCertificate } from '../x509/certificate.ts';
import { readPem } from '../x509/pem.ts';
import type { Answer } from './transport.ts';

interface ChainNeeds {
  readonly fetch: (url: string) => Promise<string>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The delivered chain or one of its alternates (RFC 8555 §7.4.2) whose topmost certificate was issued by the CA of this
 * common name. A wish: without a match, or when an alternate cannot be had, it is the delivered one.
 */
export async function chooseChain(delivered: Answer, preferred: string, needs: ChainNeeds): Promise<string> {
  if (topIssuer(delivered.text) === preferred) return delivered.text;
  const offered = [topIssuer(delivered.text)];
  try {
    for (const url of alternateUrls(delivered)) {
      const pem = await needs.fetch(url);
      if (topIssuer(pem) === preferred) return pem;
      offered.push(topIssuer(pem));
    }
  } catch (error) {
    needs.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    needs.log.warn(
      { preferred, error: message },
      'an alternate chain could not be had: the default one is used',
    );
    return delivered.text;
  }
  needs.log.warn(
    { preferred, offered },
    'the CA does not offer the preferred chain: the default one is used',
  );
  return delivered.text;
}

function topIssuer(pem: string): string | undefined {
  const top = readPem(pem).at(-1);
  try {
    return top && readCertificate(top).issuerName;
  } catch {
    // Whether it is a certificate at all is judged when the chain is verified.
    return undefined;
  }
}

function alternateUrls({ headers, url }: Answer): readonly string[] {
  const links = [headers.link ?? []].flat().join(',');
  const found = links.matchAll(/<([^>]*)>\s*((?:;[^,;]*)*)/g);
  return [...found]
    .filter((link) => /;\s*rel\s*=\s*"?alternate"?\s*(;|$)/i.test(link[2] ?? ''))
    .map((link) => new URL(link[1] ?? '', url).href);
}
