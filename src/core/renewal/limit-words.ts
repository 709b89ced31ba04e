import type { CaLimit, LimitName } from '../types.ts';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/** "certificates for example.com (50 in 7 days)". `about`: as in `LimitLevel`. */
export function limitText(name: LimitName, limit: CaLimit, about: string | undefined): string {
  return `${limitSubject(name, about)} (${limit.count} in ${periodText(limit)})`;
}

/** What it counts: "certificates for example.com". */
export function limitSubject(name: LimitName, about: string | undefined): string {
  switch (name) {
    case 'ordersPerAccount':
      return 'orders of the account';
    case 'certificatesPerDomain':
      return `certificates for ${about}`;
    case 'certificatesPerNames':
      return 'certificates for exactly these names';
    case 'failuresPerName':
      return `failed validations of ${about}`;
  }
}

/** "7 days". */
export function periodText({ perMs }: CaLimit): string {
  const units: readonly (readonly [number, string])[] = [
    [day, 'day'],
    [hour, 'hour'],
    [60 * second, 'minute'],
    [second, 'second'],
  ];
  const [length, unit] = units.find(([size]) => perMs >= size && perMs % size === 0) ?? [second, 'second'];
  const amount = perMs / length;
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}
