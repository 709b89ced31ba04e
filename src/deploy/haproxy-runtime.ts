import { X509Certificate } from 'node:crypto';
import { AgentError, isAgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Talk } from './haproxy-socket.ts';

/** A certificate in HAProxy's memory. */
export interface Loaded {
  /** Used: some list names it, so it is served. Empty: made, and nothing was put in. */
  readonly status: 'Used' | 'Unused' | 'Empty';
  /** Of the leaf, upper-case hex: HAProxy shows no other. */
  readonly sha1: string | undefined;
}

/** Certificates in the memory of a running HAProxy, by the names of their files. */
export interface Runtime {
  /** undefined: it knows no such file. */
  loaded(file: string, signal: AbortSignal): Promise<Loaded | undefined>;
  /** Puts key and chain in, in one step; what was there before is served until then, and stays when it is refused. */
  replace(file: string, pem: string, signal: AbortSignal): Promise<void>;
  isListed(list: string, file: string, signal: AbortSignal): Promise<boolean>;
  list(list: string, file: string, signal: AbortSignal): Promise<void>;
  /** Out of the list, then out of memory; what is not there is passed over. */
  drop(list: string, file: string, signal: AbortSignal): Promise<void>;
  /** Lists of certificates that its configuration names. */
  lists(signal: AbortSignal): Promise<readonly string[]>;
}

/** HAProxy has one transaction at a time; one that stands longer was left by an agent that died. */
const patience = { tries: 25, pauseMs: 200 };

export function createRuntime(talk: Talk, clock: Clock): Runtime {
  async function loaded(file: string, signal: AbortSignal): Promise<Loaded | undefined> {
    const text = await talk(`show ssl cert ${file}`, signal);
    const status = /^Status: (Used|Unused|Empty)/m.exec(text)?.[1];
    if (status === undefined) {
      if (/not found/i.test(text)) return undefined;
      throw refused(`show the certificate ${file}`, text);
    }
    return { status: status as Loaded['status'], sha1: sha1In(text) };
  }

  /** Throws unless the answer says that it was done. */
  async function tell(command: string, wanted: RegExp, what: string, signal: AbortSignal): Promise<void> {
    const text = await talk(command, signal);
    if (!wanted.test(text)) throw refused(what, text);
  }

  async function replace(file: string, pem: string, signal: AbortSignal): Promise<void> {
    const isNew = (await loaded(file, signal)) === undefined;
    await untilFree(signal);
    if (isNew) await tell(`new ssl cert ${file}`, /^New empty/, `take the new file ${file}`, signal);
    try {
      await tell(
        `set ssl cert ${file} <<\n${pem}`,
        /^Transaction \w+ for certificate/,
        `take ${file}`,
        signal,
      );
      await seeTransaction(file, pem, signal);
      await tell(`commit ssl cert ${file}`, /^Success!/m, `put ${file} in force`, signal);
    } catch (error) {
      // What the abort says is of no interest: perhaps there is no transaction any more.
      const unhurried = new AbortController().signal;
      await talk(`abort ssl cert ${file}`, unhurried).catch(() => undefined);
      if (isNew && isAgentError(error)) await talk(`del ssl cert ${file}`, unhurried).catch(() => undefined);
      throw error;
    }
  }

  async function untilFree(signal: AbortSignal): Promise<void> {
    for (let at = 0; ; at += 1) {
      const text = await talk('show ssl cert', signal);
      const other = /^# transaction\n\*(.+)$/m.exec(text)?.[1];
      if (other === undefined) return;
      if (at >= patience.tries) await talk(`abort ssl cert ${other}`, signal);
      else await clock.sleep(patience.pauseMs, signal);
    }
  }

  /** HAProxy takes what is set for one file into the open transaction of another; whoever commits must look first. */
  async function seeTransaction(file: string, pem: string, signal: AbortSignal): Promise<void> {
    const text = await talk(`show ssl cert *${file}`, signal);
    if (sha1In(text) === sha1Of(pem)) return;
    throw new AgentError(
      'deploy.target',
      `the transaction of HAProxy for ${file} holds another certificate than was set`,
      { retry: 'soon', advice: 'Let no two programs change certificates of one HAProxy at the same time.' },
    );
  }

  return {
    loaded,
    replace,
    async isListed(list, file, signal) {
      const text = await talk(`show ssl crt-list ${list}`, signal);
      if (/not found|unknown/i.test(text.split('\n')[0] ?? '')) throw unknownList(list);
      return text.split('\n').some((line) => line.split(' ')[0] === file);
    },
    list: (list, file, signal) =>
      tell(`add ssl crt-list ${list} ${file}`, /^Success!/m, `serve ${file}`, signal),
    async drop(list, file, signal) {
      const text = await talk(`del ssl crt-list ${list} ${file}`, signal);
      if (!/ deleted in /.test(text) && !/can't be found|does not exist/.test(text))
        throw refused(`take ${file} out of ${list}`, text);
      const gone = await talk(`del ssl cert ${file}`, signal);
      if (!/ deleted!|doesn't exist/.test(gone)) throw refused(`forget ${file}`, gone);
    },
    async lists(signal) {
      const text = await talk('show ssl crt-list', signal);
      if (/permission denied|unknown command/i.test(text))
        throw refused('show its lists of certificates', text);
      return text.split('\n').filter((line) => line.startsWith('/'));
    },
  };
}

export function unknownList(list: string): AgentError {
  return new AgentError('deploy.target', `HAProxy knows no list of certificates ${list}`, {
    retry: 'blocked',
    advice: `Name it in its configuration: "bind :443 ssl crt-list ${list}" for a file, "crt ${list}" for a folder; then reload HAProxy once.`,
  });
}

export function sha1Of(pem: string): string {
  return new X509Certificate(pem).fingerprint.replaceAll(':', '');
}

function sha1In(text: string): string | undefined {
  return /^SHA1 FingerPrint: ([0-9A-F]{40})/m.exec(text)?.[1];
}

/** Its words never hold what it was sent. */
function refused(what: string, text: string): AgentError {
  const words = text.split('\n').filter((line) => line.trim() !== '' && !line.includes('-----'));
  return new AgentError(
    'deploy.target',
    `HAProxy does not ${what}: ${words.slice(0, 3).join(' ').slice(0, 300)}`,
    {
      advice: 'Its stats socket needs "level admin"; a certificate and its chain must fit tune.bufsize.',
    },
  );
}
