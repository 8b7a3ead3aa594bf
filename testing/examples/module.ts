import { blank } from '../architecture/imports.ts'
import { givenNames } from './given.ts'
import type { Example } from './extract.ts'

/** What can be imported without saying from where, by specifier; the first that has a name wins. */
export type ImportTable = ReadonlyMap<string, ReadonlySet<string>>

const importLine = /^import [^\n]+ from '[^'\n]+'$/gm
/** `EXPRESSION // => VALUE` */
const expectation = /^( *)(?!const |await using )(.+?) +\/\/ => (.+)$/gm
/** Names that are used, not properties and keys. */
const used = /(?<!(?<!\.\.)\.)(?<![\w$])[A-Za-z_$][\w$]*(?!['\w$]| *:)/g

/**
 * An example as a module: what it names is imported, what it takes for given (`given.ts`) is made, and `// => value` is
 * checked. Exports `example`, to be called with `Given`.
 */
export function moduleOf(example: Example, imports: ImportTable): string {
  const own = example.code.match(importLine) ?? []
  const body = example.code.replace(importLine, '').replace(expectation, '$1assert.deepEqual($2, $3)').trim()
  const imported = own.flatMap(line => line.match(/[\w$]+(?=[ ,}])/g) ?? [])
  const declarations = body.matchAll(/\b(?:const|let|using|function|class) +([\w$]+|[{[][^}\]]*)/g)
  const declared = new Set([...declarations].flatMap(match => match[1].match(/[\w$]+/g) ?? []))
  const names = new Set(blank(body).match(used) ?? [])
  const free = [...names].filter(name => !imported.includes(name) && !declared.has(name))
  const found = Map.groupBy(free, name => [...imports].find(([, exported]) => exported.has(name))?.[0])
  const given = (found.get(undefined) ?? []).filter(name => givenNames.has(name))
  found.delete(undefined)
  return [
    `// ${example.path}:${example.line}`,
    "import assert from 'node:assert/strict'",
    "import type { Given } from '../../testing/examples/given.ts'",
    ...[...found].map(([specifier, list]) => `import { ${list.join(', ')} } from '${specifier}'`),
    ...own,
    '',
    'export async function example(given: Given): Promise<void> {',
    '  void [assert, given]',
    ...given.map(name => `  const ${name} = await given.${name}()`),
    '  {',
    body.replace(/^(?=.)/gm, '    '),
    '  }',
    '}',
    '',
  ].join('\n')
}
