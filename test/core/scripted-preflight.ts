import type { Finding, Preflight, PreflightQuestion } from '../../src/core/ports.ts';

/** What a look at names finds; nothing amiss until a test says so. */
export interface ScriptedPreflight extends Preflight {
  findings: (question: PreflightQuestion) => readonly Finding[];
  readonly asked: readonly PreflightQuestion[];
}

export function createScriptedPreflight(): ScriptedPreflight {
  const asked: PreflightQuestion[] = [];
  const scripted: ScriptedPreflight = {
    asked,
    findings: () => [],
    look: async (question) => {
      asked.push(question);
      return scripted.findings(question);
    },
  };
  return scripted;
}
