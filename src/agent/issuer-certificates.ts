import type { Http } from '../core/http.ts';
import type { IssuerCertificates } from '../core/ports.ts';
import { readCertificates } from '../x509/upload/read.ts';

const timeoutMs = 10_000;
const maxBytes = 64 * 1024;

/** Whoever hands a certificate in chooses the address, so it is fetched as one of a stranger. */
export function createIssuerCertificates({
  requestUntrusted,
}: Pick<Http, 'requestUntrusted'>): IssuerCertificates {
  return {
    fetch: async (url, signal) => {
      const { status, body } = await requestUntrusted(url, { timeoutMs, maxBytes, signal });
      return status === 200 ? readCertificates(body, `what ${new URL(url).origin} answered`) : [];
    },
  };
}
