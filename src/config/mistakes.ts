import { AgentError, type ErrorCode } from '../core/errors.ts';

/** Keys and indexes from the top of the file. */
export type Path = readonly PropertyKey[];

/** Collects what is wrong with one file, so that a person can mend it in one go. */
export interface Mistakes {
  /** `sentence` says what is wrong and what to write instead; never a value that may be a secret. */
  add(line: number, path: Path, sentence: string, code?: ErrorCode): void;
  /** Throws one AgentError that lists all mistakes, one a line, in the order of the file. */
  throwIfAny(): void;
}

export function createMistakes(file: string): Mistakes {
  const found: { line: number; text: string; code: ErrorCode }[] = [];
  return {
    add(line, path, sentence, code = 'config.invalid') {
      const where = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
      const text = `${file}:${line}: ${where}${sentence}`;
      if (!found.some((mistake) => mistake.text === text)) found.push({ line, text, code });
    },
    throwIfAny() {
      const [first, ...others] = found.sort((a, b) => a.line - b.line);
      if (first === undefined) return;
      // Mistakes of different kinds are together a matter of the file.
      const code = others.every((other) => other.code === first.code) ? first.code : 'config.invalid';
      throw new AgentError(code, [first, ...others].map(({ text }) => text).join('\n'), {
        facts: { file, mistakes: found.length },
      });
    },
  };
}
