/** A routes file that is read again when it changes. */
import { readFileSync } from 'node:fs'
import { UsageError } from '@holdfast/wire'
import type { Route } from './owners.ts'
import { parseRoutes } from './routes.ts'

/** What is told of a routes file. */
export interface RoutesFileOptions {
  readonly file: string
  /** Each good table; the first before `watchRoutes` returns. */
  readonly onChange: (routes: Route[]) => void
  /** The file has changed and is not good: the table before stays. In words for people. */
  readonly onError: (message: string) => void
  /** How often it is read. Default 1 s. */
  readonly intervalMs?: number
}

/**
 * Reads a routes file now, and again and again: it is small, and what it says is the one sure sign of a change. It may be replaced as a whole (rename) or written in
 * place. Throws UsageError `bad-routes` when it is not good now. What watches does not keep the process running.
 */
export function watchRoutes({ file, onChange, onError, intervalMs = 1000 }: RoutesFileOptions): { close(): void } {
  let last = readRoutes(file)
  onChange(parseRoutes(last, file))
  let lastProblem = ''
  const look = (): void => {
    try {
      const text = readRoutes(file)
      lastProblem = ''
      if (text === last) return
      last = text
      onChange(parseRoutes(text, file))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      if (error.message !== lastProblem) onError(`${error.message}; the routes stay as they were`)
      lastProblem = error.message
    }
  }
  const timer = setInterval(look, intervalMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}

function readRoutes(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError('bad-routes', `${file}: can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, { cause: error })
  }
}
