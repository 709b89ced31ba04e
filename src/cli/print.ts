import { withIsoInstant } from '../core/instants.ts';

/** Where a command writes: `out` for its answer, `err` for everything else. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** true: `err` is a screen, on which a line can be drawn again. */
  readonly isInteractive: boolean;
  /** Width of that screen. */
  readonly columns: number;
}

/** Control characters that strangers put there, in a DNS record or an answer, would be commands to a terminal. */
export function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, ' ');
}

const gap = '  ';

/** Columns as wide as their widest cell; nothing after the last one. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), header.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(gap)
      .trimEnd();
  return [headers, ...rows].map((row) => `${line(row)}\n`).join('');
}

/** `name: value` lines with the values in one column; those without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const known = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length + 1));
  return known.map(([name, value]) => `${`${name}:`.padEnd(width)}${gap}${value}\n`).join('');
}

/** For programs: indented JSON in which instants are ISO 8601 in UTC. */
export function json(value: unknown): string {
  return `${JSON.stringify(value ?? {}, withIsoInstant, 2)}\n`;
}
