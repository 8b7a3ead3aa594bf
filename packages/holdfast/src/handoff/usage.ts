import { UsageError } from '@holdfast/wire'
import { ConfigError } from '../config/errors.ts'

/** What an agent says of its options is of its words too: one line, exit 2. */
export async function asConfigError<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start()
  } catch (error) {
    throw error instanceof UsageError ? new ConfigError(error.message, 'CONFIG', { cause: error }) : error
  }
}
