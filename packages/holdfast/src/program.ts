/** The program `holdfast`: the command line in its process. */

import { readFileSync } from 'node:fs'
import type { CommandContext } from './commands/context.ts'
import { run } from './cli.ts'
import { terminalPrompt } from './remote/password.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Who asks twice does not want to wait.
    if (stop.signal.aborted) process.exit(1)
    stop.abort()
  })
}
// Whoever reads may go before we are done: `holdfast cat … | head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' && stream === process.stdout) process.exit(0)
  })
}

const context: CommandContext = {
  out: process.stdout,
  err: process.stderr,
  environment: process.env,
  cwd: process.cwd(),
  terminal: process.stderr.isTTY,
  columns: () => process.stderr.columns || 80,
  ...terminalPrompt(),
  // A server needs no client.
  connect: async (...words) => (await import('./remote/connect.ts')).connectRemote(...words),
  signal: stop.signal,
}

const exitCode = await run(process.argv.slice(2), context, version)
// A timer or socket that somebody forgot must not keep a command from ending.
process.stdout.write('', () => process.exit(exitCode))
