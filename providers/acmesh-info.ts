import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What a dnsapi script of acme.sh says of itself, in the variable `<name>_info` at its top. */
export interface ScriptInfo {
  /** Of its file, without `.sh`: `dns_cf`. */
  readonly name: string;
  readonly path: string;
  /** The vendor; the name where the script says nothing. */
  readonly title: string;
  readonly site?: string | undefined;
  readonly docs?: string | undefined;
  /** Sets of variables; where there are several, one of them is needed. */
  readonly options: readonly (readonly ScriptOption[])[];
  /** Whether a variable of this name occurs in it beside the list of options, which is not always right. */
  uses(variable: string): boolean;
}

export interface ScriptOption {
  readonly name: string;
  readonly description: string;
  readonly optional: boolean;
}

/** All scripts of a dnsapi folder, by name. Throws the system's error when it cannot be read. */
export function listScripts(folder: string): readonly ScriptInfo[] {
  return scriptNames(folder).map((name) => readScript(scriptPath({ dnsapi: folder, script: name })));
}

export function scriptNames(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sh'))
    .map((file) => basename(file, '.sh'))
    .sort();
}

/** `dnsapi` is a folder, or the script itself. */
export function scriptPath({
  dnsapi,
  script,
}: {
  readonly dnsapi: string;
  readonly script?: string | undefined;
}): string {
  return script === undefined ? dnsapi : join(dnsapi, `${script}.sh`);
}

export function readScript(path: string): ScriptInfo {
  const name = basename(path, '.sh');
  const text = readFileSync(path, 'utf8');
  const [whole = '', block = ''] = /^[A-Za-z_]\w*_info='([^']*)'/m.exec(text) ?? [];
  const code = text.replace(whole, () => '');
  const uses = (variable: string) => new RegExp(`\\b${variable}\\b`).test(code);
  return { name, path, uses, ...factsIn(block, name) };
}

function factsIn(block: string, name: string): Pick<ScriptInfo, 'title' | 'site' | 'docs' | 'options'> {
  const [title = '', ...lines] = block.split('\n');
  if (title.startsWith('[')) return { title: name, options: [jsonOptions(block)] };
  const sections = sectionsOf(lines);
  const text = (heading: string) => sections.find((one) => one.heading === heading)?.text || undefined;
  return {
    title: title.trim() || name,
    site: text('Site'),
    docs: text('Docs'),
    options: optionsOf(sections),
  };
}

interface Section {
  readonly heading: string;
  /** On the line of the heading. */
  readonly text: string;
  readonly lines: readonly string[];
}

function sectionsOf(lines: readonly string[]): readonly Section[] {
  const starts = lines.flatMap((line, at) => {
    const [, heading, text = ''] = /^([A-Z][A-Za-z]+):\s*(.*)$/.exec(line) ?? [];
    return heading === undefined ? [] : [{ heading, text: text.trim(), at }];
  });
  return starts.map(({ heading, text, at }, index) => ({
    heading,
    text,
    lines: lines.slice(at + 1, starts[index + 1]?.at),
  }));
}

function optionsOf(sections: readonly Section[]): readonly (readonly ScriptOption[])[] {
  const sets: (readonly ScriptOption[])[] = [];
  for (const { heading, lines } of sections) {
    const options = lines.flatMap(optionOf);
    if (options.length === 0) continue;
    if (heading.startsWith('Options')) sets.push(options);
    if (heading === 'Optional')
      sets.push([...(sets.pop() ?? []), ...options.map((option) => ({ ...option, optional: true }))]);
  }
  return sets;
}

function optionOf(line: string): readonly ScriptOption[] {
  const [, name, description] = /^\s*([A-Za-z_]\w*)\s+(\S.*)$/.exec(line) ?? [];
  if (name === undefined || description === undefined) return [];
  return [{ name, description, optional: /\boptional|\bdefault/i.test(description) }];
}

/** Some scripts write JSON: `[{"name": …, "usage": …, "required": "1"}]`. */
function jsonOptions(block: string): readonly ScriptOption[] {
  try {
    const entries: readonly Readonly<Record<string, unknown>>[] = JSON.parse(block);
    return entries.flatMap(({ name, usage, required }) =>
      typeof name === 'string'
        ? [
            {
              name,
              description: String(usage ?? ''),
              optional: !['1', true, 'true'].includes(required as string),
            },
          ]
        : [],
    );
  } catch {
    return [];
  }
}
