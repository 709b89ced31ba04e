import type { LimitLevel } from '../ports.ts';
import type { CaLimit } from '../types.ts';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/** "certificates for example.com (50 in 7 days)", "it asked us to wait with new orders". */
export function limitText({
  name,
  about,
  count,
  perMs,
}: Pick<LimitLevel, 'name' | 'about' | 'count' | 'perMs'>): string {
  const subject = limitSubject(name, about);
  return count === undefined || perMs === undefined
    ? `it asked us to wait with ${subject}`
    : `${subject} (${count} in ${periodText({ perMs })})`;
}

/** What it counts, or what the CA asked to be left alone with: "certificates for example.com". */
export function limitSubject(name: LimitLevel['name'], about: string | undefined): string {
  switch (name) {
    case 'ordersPerAccount':
      return 'orders of the account';
    case 'certificatesPerDomain':
      return `certificates for ${about}`;
    case 'certificatesPerNames':
      return 'certificates for exactly these names';
    case 'failuresPerName':
      return `failed validations of ${about}`;
    case 'requests':
      return 'requests of any kind';
    case 'orders':
      return 'new orders';
    case 'ordersUnderDomain':
      return `new orders under ${about}`;
    case 'ordersForNames':
      return 'new orders for exactly these names';
    case 'ordersForName':
      return `new orders for ${about}`;
  }
}

/** "7 days". */
export function periodText({ perMs }: Pick<CaLimit, 'perMs'>): string {
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
