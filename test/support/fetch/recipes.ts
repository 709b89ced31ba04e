import type { PrivatePackages } from './apt.ts';
import {
  probeBind,
  probeChalltestsrv,
  probeNsupdate,
  probePebble,
  probePowerdns,
  probeProxy,
  probeRedis,
  probeRuns,
  probeWaitAof,
  type Verdict,
} from './probes.ts';

/** How one server gets onto this machine. */
export interface Recipe {
  readonly name:
    | 'redis'
    | 'valkey'
    | 'pebble'
    | 'bind'
    | 'nsupdate'
    | 'powerdns'
    | 'knot'
    | 'nginx'
    | 'haproxy'
    | 'lego';
  /** Programs it brings, each with the probe that a found one must pass. */
  readonly programs: Readonly<Record<string, (program: string) => Promise<Verdict>>>;
  readonly packages: readonly string[];
  /** Suites to take the packages from, best first; undefined: the machine's own. */
  suites(packages: PrivatePackages): readonly (string | undefined)[];
  /**
   * Root installs it with the system's package manager. Not for daemons that would start on a port that the machine
   * needs, and not where the system's version is too old.
   */
  readonly systemInstall: boolean;
  /** Without it only tests that name it are skipped. */
  readonly optional: boolean;
  readonly remedy: string;
}

export const recipes: readonly Recipe[] = [
  {
    name: 'redis',
    programs: { 'redis-server': probeRedis },
    packages: ['redis-server', 'redis-tools'],
    suites: () => [undefined],
    systemInstall: true,
    optional: false,
    remedy: 'install redis-server 7.0 or newer and put it on PATH',
  },
  {
    name: 'pebble',
    programs: { pebble: probePebble, 'pebble-challtestsrv': probeChalltestsrv },
    packages: ['pebble'],
    suites: (packages) => [...packages.newerSuites, undefined],
    systemInstall: false,
    optional: false,
    remedy: 'install pebble and pebble-challtestsrv 2.7 or newer and put them on PATH',
  },
  {
    name: 'bind',
    programs: { named: probeBind },
    packages: ['bind9', 'bind9-libs'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install BIND 9 (named) and put it on PATH',
  },
  {
    name: 'nsupdate',
    programs: { nsupdate: probeNsupdate },
    packages: ['bind9-dnsutils', 'bind9-libs'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install nsupdate, of the tools that come with BIND 9, and put it on PATH',
  },
  {
    name: 'powerdns',
    programs: { pdns_server: probePowerdns, pdnsutil: probeRuns, sqlite3: probeRuns },
    packages: ['pdns-server', 'pdns-backend-sqlite3', 'sqlite3'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install PowerDNS with its SQLite backend and the sqlite3 shell, and put them on PATH',
  },
  {
    name: 'knot',
    programs: { knotd: probeRuns },
    packages: ['knot'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install Knot DNS (knotd) and put it on PATH',
  },
  {
    name: 'nginx',
    programs: { nginx: probeProxy },
    packages: ['nginx'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install nginx and put it on PATH',
  },
  {
    name: 'haproxy',
    programs: { haproxy: probeProxy },
    packages: ['haproxy'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install HAProxy 2.6 or newer and put it on PATH',
  },
  {
    name: 'lego',
    programs: { lego: probeRuns },
    packages: ['lego'],
    suites: () => [undefined],
    systemInstall: false,
    optional: true,
    remedy: 'install lego and put it on PATH',
  },
  {
    name: 'valkey',
    programs: { 'valkey-server': probeWaitAof },
    packages: ['valkey-server', 'valkey-tools'],
    suites: (packages) => [undefined, packages.backports, ...packages.newerSuites],
    systemInstall: false,
    optional: true,
    remedy: 'install valkey-server and put it on PATH',
  },
];
