/** Whether a node can do what it is there for: asked as often as anybody likes, looked at once a second. */

type MaybePromise<T> = T | Promise<T>

/** Something that a node needs and does not have now. */
export interface Trouble {
  /** What it is: `store`, `worker 1`, `share docs`. */
  readonly name: string
  /** What is wrong with it, in a few words that anybody may read: no paths, no addresses. */
  readonly detail: string
}

/** Something to be looked at. */
export interface ReadinessCheck {
  /** As in `Trouble`. */
  readonly name: string
  /** What is wrong, nothing where nothing is. What it throws is a trouble as well: by its `code`. */
  look(): MaybePromise<readonly Trouble[]>
}

/** What `watchReadiness` is made of. */
export interface ReadinessOptions {
  /** What is to be looked at now. */
  readonly checks: () => MaybePromise<readonly ReadinessCheck[]>
  /** How long an answer is good, in milliseconds (1000). */
  readonly freshMs?: number
  /** What has not answered by then is a trouble, in milliseconds (2000). It is not asked again before it has answered. */
  readonly patienceMs?: number
  readonly now?: () => number
  /** Hears of what was thrown, which nobody else is told in full. */
  readonly onError?: (name: string, error: unknown) => void
}

/**
 * Resolves with what is wrong, in the order of the checks. However often it is called, each check runs once in `freshMs`, and never twice at a time.
 *
 * @example
 * const troubles = watchReadiness({ checks: () => [{ name: 'store', look: () => [] }] })
 * await troubles() // => []
 */
export function watchReadiness(options: ReadinessOptions): () => Promise<readonly Trouble[]> {
  const { checks, freshMs = 1000, patienceMs = 2000, now = () => performance.now(), onError } = options
  const running = new Map<string, Promise<readonly Trouble[]>>()
  let answer: Promise<readonly Trouble[]> | undefined
  let askedAtMs = -Infinity

  const look = (check: ReadinessCheck): Promise<readonly Trouble[]> => {
    const under = running.get(check.name)
    if (under !== undefined) return under
    const begun = attempt(check, onError).finally(() => running.delete(check.name))
    running.set(check.name, begun)
    return begun
  }
  const lookAtAll = async (): Promise<readonly Trouble[]> => {
    const found = await Promise.all((await checks()).map(check => withPatience(look(check), patienceMs, check.name)))
    return found.flat()
  }
  return () => {
    if (answer !== undefined && now() - askedAtMs < freshMs) return answer
    askedAtMs = now()
    return (answer = lookAtAll())
  }
}

async function attempt({ name, look }: ReadinessCheck, onError: ReadinessOptions['onError']): Promise<readonly Trouble[]> {
  try {
    return await look()
  } catch (error) {
    onError?.(name, error)
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'it failed'
    return [{ name, detail: code }]
  }
}

async function withPatience(found: Promise<readonly Trouble[]>, patienceMs: number, name: string): Promise<readonly Trouble[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Trouble[]>(resolve => {
    timer = setTimeout(() => resolve([{ name, detail: 'it does not answer' }]), patienceMs)
  })
  try {
    return await Promise.race([found, late])
  } finally {
    clearTimeout(timer)
  }
}
