import { Writable } from 'node:stream'
import { run } from '../cli.ts'
import type { CommandContext } from '../commands/context.ts'

function sink(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

/** What a command line came to. */
export interface CommandLineResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process; `changed` is what differs from a plain terminal-less context. */
export async function runCommandLine(
  words: readonly string[],
  changed: Partial<CommandContext> & Pick<CommandContext, 'cwd'>,
): Promise<CommandLineResult> {
  const [out, err] = [sink(), sink()]
  const context: CommandContext = {
    out: out.stream,
    err: err.stream,
    environment: {},
    terminal: false,
    columns: () => 100,
    connect: () => Promise.reject(new Error('there is no server here')),
    signal: new AbortController().signal,
    ...changed,
  }
  const code = await run(words, context, '1.2.3')
  return { code, out: out.text(), err: err.text() }
}
