import { systemClock } from '../../src/clock.ts';
import type { Notice } from '../../src/core/ports.ts';
import { createPluginContext, type TestContext } from '../support/plugin-context.ts';

export const now = Date.UTC(2026, 11, 1, 10, 0);
export const day = 86_400_000;

export function notice(given: Partial<Notice>): Notice {
  return {
    id: '1-0',
    kind: 'failed',
    at: now,
    domain: 'example.com',
    lineage: 'example.com/www.example.com/ec',
    names: ['www.example.com'],
    recipients: ['ops@example.com'],
    message: 'DNS problem: NXDOMAIN looking up A for www.example.com',
    ...given,
  };
}

/** The time stands still at `now`. */
export function contextAtNow(): TestContext {
  return createPluginContext('ops', { ...systemClock, now: () => now });
}
