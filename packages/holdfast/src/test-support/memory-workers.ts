/** Workers of one thread that call each other, for tests of what they say to each other. */

import type { WorkerNode, WorkerObject } from '@holdfast/engine'

/** As much of a worker node as worker objects need. */
export type CallingNode = Pick<WorkerNode, 'index' | 'workers' | 'register' | 'unregister' | 'call' | 'post' | 'onWorkerLost' | 'log'>

/** So many workers; `lose` tells the others that one has died. */
export function memoryWorkers(workers: number): {
  readonly node: (index: number) => WorkerNode
  readonly lose: (index: number) => void
  readonly logs: string[]
} {
  const objects = Array.from({ length: workers }, () => new Map<string, WorkerObject>())
  const listeners = Array.from({ length: workers }, (): ((worker: number) => void)[] => [])
  const logs: string[] = []
  const invoke = async (from: number, to: number, id: string, method: string, argument: unknown): Promise<unknown> => {
    const target = objects[to]?.get(id)
    const action = target?.[method]
    if (action === undefined) throw Object.assign(new Error(`no ${id}.${method} on worker ${to}`), { code: 'NO_SUCH_OBJECT' })
    return structuredClone(await action.call(target, structuredClone(argument) as never, from))
  }
  const node = (index: number): CallingNode => ({
    index,
    workers,
    register: (id, object) => void objects[index]?.set(id, object),
    unregister: id => void objects[index]?.delete(id),
    call: (to, id, method, argument) => invoke(index, to, id, method, argument),
    post: (to, id, method, argument) => void invoke(index, to, id, method, argument).catch(() => undefined),
    onWorkerLost: listener => void listeners[index]?.push(listener),
    log: (level, message, fields) => void logs.push(`${level} ${message} ${JSON.stringify(fields)}`),
  })
  return {
    // What the tests of these workers do not use is not there.
    node: index => node(index) as WorkerNode,
    lose(index) {
      objects[index]?.clear()
      for (const [other, told] of listeners.entries()) if (other !== index) for (const listener of told) listener(index)
      listeners[index] = []
    },
    logs,
  }
}
