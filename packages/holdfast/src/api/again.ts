/** What was begun by a process that died, and is done again. */

/** Undefined where it rejects because it has been done already, which the error's `code` tells; `false`: nothing has been done before. */
export async function orDone<T>(action: Promise<T>, code: string | false): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    if (code === false || (error as { readonly code?: unknown }).code !== code) throw error
    return undefined
  }
}
