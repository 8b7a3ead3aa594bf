/** A password from where it belongs: a file, the environment, or a person at a terminal. Never an argument. */

import { readFileSync } from 'node:fs'
import type { ReadStream } from 'node:tty'
import { ConfigError, quoted } from '../config/errors.ts'

export interface PasswordSources {
  readonly passwordFile?: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Asks a person, without echo; undefined where there is no terminal. */
  readonly prompt?: (question: string) => Promise<string>
}

/** --password-file, then HOLDFAST_PASSWORD, then the prompt. Throws ConfigError where there is none of them. */
export async function findPassword(question: string, { passwordFile, environment, prompt }: PasswordSources): Promise<string> {
  const password = passwordFile !== undefined ? readPasswordFile(passwordFile) : (environment['HOLDFAST_PASSWORD'] ?? (await prompt?.(question)))
  if (password === undefined) throw new ConfigError('a password is needed: HOLDFAST_PASSWORD, --password-file, or a terminal to ask at')
  if (password === '') throw new ConfigError('the password is empty')
  return password
}

/** The first line of a file. */
function readPasswordFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? ''
  } catch (error) {
    throw new ConfigError(`--password-file: ${quoted(path)} cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'CONFIG', { cause: error })
  }
}

/** Reads a line from a terminal without showing it. Rejects with ConfigError at Ctrl-C or Ctrl-D. */
export function promptHidden(question: string, input: ReadStream = process.stdin, output: NodeJS.WritableStream = process.stderr): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const finish = (settle: () => void): void => {
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
      settle()
    }
    const onData = (chunk: Buffer | string): void => {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n') return finish(() => resolve(text))
        if (key === '\u0003' || (key === '\u0004' && text === '')) return finish(() => reject(new ConfigError('cancelled', 'CANCELLED')))
        if (key === '\u007f' || key === '\b') text = Array.from(text).slice(0, -1).join('')
        else if (key === '\u0015') text = ''
        else if (key >= ' ') text += key
      }
    }
    output.write(question)
    input.setRawMode(true)
    input.setEncoding('utf8')
    input.on('data', onData)
    input.resume()
  })
}

/** The prompt of this process, where it has a terminal. */
export const terminalPrompt = (): { prompt?: (question: string) => Promise<string> } =>
  process.stdin.isTTY && process.stderr.isTTY ? { prompt: question => promptHidden(question) } : {}
