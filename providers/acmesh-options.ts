import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { nearest } from '../src/core/nearest.ts';
import { secret } from '../src/core/secret.ts';
import { secretText } from '../src/plugin/fields.ts';
import { readScript, type ScriptInfo, scriptNames, scriptPath } from './acmesh-info.ts';
import { opaqueOptions } from './opaque.ts';

const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
/** Empty is as good as not set to a script; it says that this is meant. */
const variable = z
  .union([z.literal('').transform((text) => secret(text)), secretText()])
  .meta({ secret: true });

const fields = z.strictObject({
  dnsapi: z
    .string()
    .refine(isAbsolute, 'must be an absolute path')
    .describe('Folder "dnsapi" of an installed acme.sh, or one script in it.'),
  script: z
    .string()
    .regex(/^\w+$/, 'must be the name of a script, without .sh')
    .optional()
    .describe('Name of the script in that folder, such as dns_cf.'),
  variables: z
    .record(variableName, variable)
    .default({})
    .describe('Variables of the script, as it names them itself; masked in what it says.'),
  env: z
    .record(variableName, secretText())
    .default({})
    .describe(
      'Environment of the script beside them, PATH, HOME and TMPDIR, such as https_proxy; masked too.',
    ),
  runAs: z
    .string()
    .regex(/^[a-z0-9_][a-z0-9_-]*:[a-z0-9_][a-z0-9_-]*$/, 'must be like nobody:nogroup')
    .optional()
    .describe('USER:GROUP that the script runs as, such as nobody:nogroup; needs an agent that is root.'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(120)
    .default(120)
    .describe('After that the script is killed; at most 120.'),
  ...opaqueOptions('name'),
});

export type AcmeshOptions = z.infer<typeof fields>;

/** Read with the script at hand: what it does not know, or lacks, is a mistake of the configuration file. */
export const options = fields.superRefine((given, context) => {
  for (const { path, sentence } of mistakesIn(given))
    context.addIssue({ code: 'custom', path: [...path], message: sentence });
});

interface Mistake {
  readonly path: readonly string[];
  readonly sentence: string;
}

type Given = Pick<AcmeshOptions, 'dnsapi' | 'script' | 'variables'>;

function mistakesIn(given: Given): readonly Mistake[] {
  // Told already.
  if (!isAbsolute(given.dnsapi)) return [];
  try {
    const missing = missingScript(given);
    if (missing !== undefined) return [missing];
    const script = readScript(scriptPath(given));
    return [...unknownVariables(given, script), ...missingVariables(given, script)];
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return [{ path: ['dnsapi'], sentence: `${scriptPath(given)} cannot be read (${code})` }];
  }
}

function missingScript({ dnsapi, script }: Given): Mistake | undefined {
  if (!existsSync(dnsapi))
    return { path: ['dnsapi'], sentence: `${dnsapi} is not there, or this user may not enter it` };
  if (script === undefined)
    return dnsapi.endsWith('.sh')
      ? undefined
      : { path: ['script'], sentence: 'is missing: name a script of that folder, such as dns_cf' };
  if (dnsapi.endsWith('.sh'))
    return {
      path: ['script'],
      sentence: 'does not go with a "dnsapi" that is a script itself: leave it out',
    };
  const known = scriptNames(dnsapi);
  if (known.includes(script)) return undefined;
  return {
    path: ['script'],
    sentence: `there is no ${script}.sh in ${dnsapi}${hint(script, known)}`,
  };
}

function unknownVariables({ variables }: Given, script: ScriptInfo): readonly Mistake[] {
  const known = script.options.flat().map(({ name }) => name);
  return Object.keys(variables)
    .filter((name) => !known.includes(name) && !script.uses(name))
    .map((name) => ({
      path: ['variables', name],
      sentence: `${script.name} has no such variable${hint(name, known) || `; it has ${listed(script)}; what is for a program that it runs goes under "env"`}`,
    }));
}

/** The lists in scripts are not exact: some name what the script does not use; of several sets, some of one are enough. */
function missingVariables({ variables }: Given, script: ScriptInfo): readonly Mistake[] {
  const given = (name: string) => Object.hasOwn(variables, name);
  const needed = script.options.map((set) =>
    set.filter(({ name, optional }) => !optional && script.uses(name)).map(({ name }) => name),
  );
  const [only = [], ...others] = needed;
  const lacking = others.length === 0 ? only.filter((name) => !given(name)) : [];
  const hasNone = others.length > 0 && needed.every((set) => set.length > 0 && !set.some(given));
  if (lacking.length === 0 && !hasNone) return [];
  const sentence = hasNone
    ? `${script.name} needs variables: ${listed(script)}`
    : `${script.name} needs ${lacking.join(', ')}; give '' for one that it can do without. It has ${listed(script)}`;
  return [{ path: ['variables'], sentence }];
}

function listed({ options }: ScriptInfo): string {
  const sets = options.map((set) =>
    set.map(({ name, optional }) => (optional ? `${name} (optional)` : name)).join(', '),
  );
  return sets.length === 0 ? 'none' : sets.join('; or ');
}

function hint(wrong: string, known: readonly string[]): string {
  const close = nearest(wrong, known);
  return close === undefined ? '' : `, did you mean "${close}"?`;
}
