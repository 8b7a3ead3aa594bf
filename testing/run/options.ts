import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'

const helpOption = { help: { type: 'boolean', short: 'h' } } as const

/**
 * The words of a command for developers, `module` being its own `import.meta.url`. `--help` prints the comment that its file begins with; what cannot
 * be understood is said in a line. The process ends with both: with status 0, and 2.
 *
 * @example
 * const { values: options } = parseOptions(import.meta.url, { options: { seconds: { type: 'string', default: '60' } } })
 */
export function parseOptions<const Config extends ParseArgsConfig>(module: string, config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    // The option more does not change the type of the others.
    const parsed = parseArgs({ ...config, options: { ...config.options, ...helpOption } }) as ReturnType<typeof parseArgs<Config>>
    if ((parsed.values as { readonly help?: boolean }).help !== true) return parsed
  } catch (error) {
    console.error(`${(error as Error).message}\nTry --help.`)
    process.exit(2)
  }
  console.log(introductionOf(readFileSync(fileURLToPath(module), 'utf8')))
  process.exit(0)
}

/** The text of the comment that a source begins with. */
export function introductionOf(source: string): string {
  const [, comment = ''] = /^(?:#!.*\n)?\/\*\*([^]*?)\*\//.exec(source) ?? []
  return comment
    .split('\n')
    .map(line => line.replace(/^ \* ?/, '').trimEnd())
    .join('\n')
    .trim()
}
