import type { DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../../src/core/provider.ts';

/** A provider with a server of its own, and the ways to look at that server behind the provider's back. */
export interface ProviderUnderTest {
  readonly provider: DnsProvider;
  /** The same account as another process has it. */
  again(): DnsProvider;
  readonly zone: ZoneRef;
  /** TXT values that the server has now. */
  txt(name: string): Promise<readonly string[]>;
  /** As another writer does it. */
  addForeign(name: string, value: string): Promise<void>;
  removeForeign(name: string, value: string): Promise<void>;
  /** All of the zone, comparable. */
  snapshot(): Promise<string>;
  stop(): Promise<void>;
  /** Where the account can have a zone below another one: a name in it. */
  readonly delegated?: { readonly name: string; readonly zone: string } | undefined;
  /** Where the server knows zones: one it does not have, and the code expected. */
  readonly missing?: { readonly zone: ZoneRef; readonly code: string } | undefined;
  /** Where there are credentials: a provider with wrong ones. */
  readonly withWrongCredentials?: (() => DnsProvider) | undefined;
  /** Calls the server has seen, where it counts them. */
  readonly calls?: (() => number) | undefined;
  /** A change that the server refuses for its name. */
  readonly refused?: TxtChange | undefined;
  /** The next call is refused as coming too soon, with seconds to wait where they are given. */
  readonly throttleOnce?: ((retryAfterSeconds?: number) => void) | undefined;
  /** The account loses all its rights, and gets them back with `restore`; the code expected meanwhile. */
  readonly denyRights?: (() => { readonly code: string; restore(): void }) | undefined;
  /** The next call meets a fault of the server, before anything is done. */
  readonly failOnce?: (() => void) | undefined;
  /** From now on so many of all calls, from 0 to 1, meet one. */
  readonly shake?: ((share: number) => void) | undefined;
  /** The next change is made, but its answer does not arrive. */
  readonly loseAnswerOnce?: (() => void) | undefined;
  /** The next change gets no answer before `release`; `reached` resolves when the server has it. */
  readonly hangOnce?: (() => { readonly reached: Promise<void>; release(): void }) | undefined;
  /** TTL that the server has for the name, where it keeps TTLs. */
  readonly ttl?: ((name: string) => Promise<number | undefined>) | undefined;
  /** The value is published by the server now, where that can be later than the change. */
  readonly isPublished?: ((name: string, value: string) => Promise<boolean>) | undefined;
  /** An account with many zones, and one zone of them with many TXT sets. */
  readonly large?: (() => Promise<LargeAccount>) | undefined;
  /** Where the server listens on 127.0.0.1, and an account there as the configuration file has it, at that or another port. */
  readonly server?: { readonly port: number; account(port: number): AccountSettings } | undefined;
  /** `address:port` of the DNS server that publishes the zones, for all names of them. */
  readonly dns?: string | undefined;
  /** CNAMEs in the zone, the first of three and one of a loop, both below `_acme-challenge`; where the three end. */
  readonly aliases?: { readonly first: string; readonly end: string; readonly loop: string } | undefined;
}

/** For a process of its own. */
export interface AccountSettings {
  /** Name of its definition. */
  readonly provider: string;
  /** Before they are parsed. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface LargeAccount {
  readonly provider: DnsProvider;
  /** On the last page of the zones. */
  readonly zone: ZoneRef;
  /** Names, each with the zone that holds it. */
  readonly held: readonly { readonly name: string; readonly zone: string }[];
  /** How many TXT values `zone` has. */
  readonly values: number;
  txt(name: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Of the suite: what a server or a provider may not have. */
export type Part = keyof ProviderUnderTest | 'listTxt' | 'findZone' | 'anyText';

export interface Subject {
  readonly traits: ProviderTraits;
  setup(): Promise<ProviderUnderTest>;
  /** Optional parts that the server or its protocol cannot have, each with the reason. */
  readonly notApplicable: Readonly<Partial<Record<Part, string>>>;
  /** `npm test` runs the slow points as well. */
  readonly slow?: boolean | undefined;
}
