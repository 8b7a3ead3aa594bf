/** Ctrl-C, and what people say when they are asked why. */

import type { ReadStream } from 'node:tty'

/** SIGINT goes to who has taken it last; to nobody's process otherwise. */
export class Interrupts {
  readonly #handlers: (() => void)[] = []

  take(handler: () => void): Disposable {
    this.#handlers.push(handler)
    return { [Symbol.dispose]: () => void this.#handlers.splice(this.#handlers.lastIndexOf(handler), 1) }
  }

  /** False where nobody has taken it. */
  interrupt(): boolean {
    this.#handlers.at(-1)?.()
    return this.#handlers.length > 0
  }
}

const interruptKeys: ReadonlySet<string> = new Set(['\u0003', '\u0004'])

/**
 * Asks yes or no with one key, `y` for yes. Resolves to undefined at Ctrl-C and Ctrl-D, and to false when `signal` says that the question
 * is moot.
 */
export function confirmByKey(question: string, signal: AbortSignal, input: ReadStream, output: NodeJS.WritableStream): Promise<boolean | undefined> {
  return new Promise(resolve => {
    const finish = (answer: boolean | undefined, said: string): void => {
      signal.removeEventListener('abort', onAbort)
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      output.write(`${said}\n`)
      resolve(answer)
    }
    const onAbort = (): void => finish(false, '')
    const onData = (chunk: Buffer | string): void => {
      const key = String(chunk).slice(0, 1)
      if (interruptKeys.has(key)) finish(undefined, '')
      else finish(/y/i.test(key), /[ -~]/.test(key) ? key : '')
    }
    if (signal.aborted) return resolve(false)
    output.write(question)
    input.setRawMode(true)
    input.setEncoding('utf8')
    signal.addEventListener('abort', onAbort, { once: true })
    input.on('data', onData)
    input.resume()
  })
}
