/** The program `holdfast`: the command line in its process. */

import type { CommandContext } from './commands/context.ts'
import { confirmByKey, Interrupts } from './commands/interrupts.ts'
import { run } from './cli.ts'
import { terminalPrompt } from './remote/password.ts'
import { version } from './version.ts'

const stop = new AbortController()
const interrupts = new Interrupts()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (signal === 'SIGINT' && interrupts.interrupt()) return
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
  ...(process.stdin.isTTY &&
    process.stderr.isTTY && { confirm: (question: string, signal: AbortSignal) => confirmByKey(question, signal, process.stdin, process.stderr) }),
  interrupts,
  // https://no-color.org
  colours: process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
  // A server needs no client.
  connect: async (...words) => (await import('./remote/connect.ts')).connectRemote(...words),
  signal: stop.signal,
}

const exitCode = await run(process.argv.slice(2), context, version)
// A timer or socket that somebody forgot must not keep a command from ending.
process.stdout.write('', () => process.exit(exitCode))
