/** Calls of one worker to all. */

import type { WorkerNode } from '@holdfast/engine'

/** A worker that does not answer for so long is being started again, and looks at everything then. */
const patienceMs = 5000
/** Longer than anything that is asked for takes: initiators have some seconds to log out. */
const answerPatienceMs = 15_000

type Caller = Pick<WorkerNode, 'workers' | 'call'>

const workersOf = ({ workers }: Caller): number[] => Array.from({ length: workers }, (_, worker) => worker)

/** Resolves when every worker has done it; one that dies or starts meanwhile finds out by itself. */
export async function tellWorkers(node: Caller, object: string, method: string, argument: unknown): Promise<void> {
  const told = Promise.allSettled(workersOf(node).map(worker => node.call(worker, object, method, argument)))
  let timer: NodeJS.Timeout | undefined
  await Promise.race([told, new Promise(resolve => (timer = setTimeout(resolve, patienceMs)))])
  clearTimeout(timer)
}

/** What the workers answer. One that dies or starts meanwhile has nothing. */
export async function askWorkers<Answer>(node: Caller, object: string, method: string, argument: unknown): Promise<Answer[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof nothing>(resolve => (timer = setTimeout(() => resolve(nothing), answerPatienceMs)))
  const answers = await Promise.allSettled(workersOf(node).map(worker => Promise.race([node.call(worker, object, method, argument), late])))
  clearTimeout(timer)
  return answers.flatMap(answer => {
    if (answer.status === 'fulfilled') return answer.value === nothing ? [] : [answer.value as Answer]
    if (isAbsence(answer.reason)) return []
    throw answer.reason
  })
}

const nothing = Symbol('no answer')

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
const isAbsence = (error: unknown): boolean => ['WORKER_LOST', 'NO_SUCH_OBJECT'].includes(String(codeOf(error)))

/** An action that this many workers have died of is not tried on another one. */
const attemptsMax = 3

/** Does it again when the worker that did it has died: `again` says so, as it may have been done. */
export async function withSuccessor<T>(action: (again: boolean) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action(attempt > 1)
    } catch (error) {
      if (codeOf(error) !== 'WORKER_LOST' || attempt >= attemptsMax) throw error
    }
  }
}
