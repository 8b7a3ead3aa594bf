import type { WorkerNode } from '@holdfast/engine'

/** What makes ids unique: the worker and how often it was started. */
export type NodeIdentity = Pick<WorkerNode, 'index' | 'incarnation'>

const counters = new WeakMap<object, () => bigint>()

/**
 * Persistent ids for all open tables of a worker: worker (8 bits), incarnation (24), counter (32). Unique in
 * the node without asking anybody.
 */
export const openIdsOf = (node: NodeIdentity): (() => bigint) => {
  const known = counters.get(node)
  if (known !== undefined) return known
  const prefix = (BigInt(node.index & 0xff) << 56n) | (BigInt(node.incarnation & 0xff_ffff) << 32n)
  let counter = 0
  const next = (): bigint => {
    counter = counter === 0xffff_fffe ? 1 : counter + 1
    return prefix | BigInt(counter)
  }
  counters.set(node, next)
  return next
}
