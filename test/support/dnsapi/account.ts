import { fileURLToPath } from 'node:url';
import type { RecordsFront } from '../vendors/dnsapi-records.ts';

/** Scripts of our own in the form of acme.sh's, which is under a licence that keeps its scripts out of here. */
export const dnsapiFolder = fileURLToPath(new URL('.', import.meta.url));

/**
 * Options of an account for the script `dns_records`. All its variables count as secrets, the address too: its path makes
 * it one that stands nowhere else.
 */
export function recordsAccount(url: string, { user, password }: Pick<RecordsFront, 'user' | 'password'>) {
  return {
    dnsapi: dnsapiFolder,
    script: 'dns_records',
    variables: { RECORDS_Url: `${url}/dnsapi`, RECORDS_User: user, RECORDS_Password: password },
    cleanup: 'value',
    propagationSeconds: 0,
  };
}
