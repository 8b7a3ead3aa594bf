/**
 * `npm run check`: format, lint, types, architecture, unit tests.
 *
 * One line per step with the time it took; of a step that fails, its output as well. Exit status 1 when one failed.
 */
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { root } from '../testing/run/root.ts'

interface Step {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
}

const steps: readonly Step[] = [
  { name: 'format', program: 'oxfmt', args: ['--check', '.'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '.'] },
  { name: 'types', program: 'tsc', args: ['-p', '.', '--noEmit'] },
  { name: 'types (page)', program: 'tsc', args: ['-p', 'packages/console/app', '--noEmit'] },
  { name: 'architecture', program: 'node', args: ['testing/run.ts', '--unit', '--failures', 'testing/architecture'] },
  {
    name: 'unit tests',
    program: 'node',
    args: ['testing/run.ts', '--unit', '--failures', 'packages/', 'testing/examples', 'tools/', 'fuzz/', 'bench/'],
  },
]

const bin = join(root, 'node_modules', '.bin')
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` }

/** Runs a step; resolves to the output of one that failed, undefined otherwise. */
async function failureOf(step: Step): Promise<string | undefined> {
  return new Promise(resolve => {
    const output: Buffer[] = []
    const child = spawn(join(bin, step.program), step.args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
    child.on('error', error => resolve(`${step.program} does not start: ${error.message} (has npm ci been run?)`))
    child.on('close', status => resolve(status === 0 ? undefined : Buffer.concat(output).toString()))
  })
}

const only = process.argv.slice(2)
const unknown = only.filter(name => !steps.some(step => step.name.startsWith(name)))
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are: ${steps.map(step => step.name).join(', ')}`)
  process.exit(2)
}

let failed = 0
for (const step of steps) {
  if (only.length > 0 && !only.some(name => step.name.startsWith(name))) continue
  const begin = performance.now()
  const failure = await failureOf(step)
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${step.name.padEnd(14)} ${seconds.padStart(6)} s`)
  if (failure !== undefined) {
    failed++
    console.log(failure.trimEnd().replace(/^/gm, '    '))
  }
}
process.exitCode = failed > 0 ? 1 : 0
