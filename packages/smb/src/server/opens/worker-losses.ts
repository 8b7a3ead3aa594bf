import type { OpensNode } from './owner-service.ts'

type Listener = (worker: number) => void

const listenersOf = new WeakMap<object, Set<Listener>>()

/** As `WorkerNode.onWorkerLost`, until the returned function is called: shares come and go while a worker runs. */
export const onWorkerLost = (node: Pick<OpensNode, 'onWorkerLost'>, listener: Listener): (() => void) => {
  const listeners = listenersOf.get(node) ?? listenTo(node)
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const listenTo = (node: Pick<OpensNode, 'onWorkerLost'>): Set<Listener> => {
  const listeners = new Set<Listener>()
  listenersOf.set(node, listeners)
  node.onWorkerLost(worker => {
    for (const listener of Array.from(listeners)) listener(worker)
  })
  return listeners
}
