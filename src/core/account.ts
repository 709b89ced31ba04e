/** Held by whoever changes the record of an issuer's account, or asks the CA to change the account. */
export function accountLock(issuer: string): string {
  return `acme-account:${issuer}`;
}

/** So long nobody goes on with what a killed process began; a living one prolongs it. */
export const accountLockMs = 15_000;
