/** Packets that get lost on their way. */
import type { Machine } from './machine.ts'

/** Of what `bridge` moves, each packet is lost with this probability, whichever way it goes; until it is disposed of. Returns how many were. */
export async function lose(bridge: Machine, percent: number): Promise<AsyncDisposable & { lost(): Promise<number> }> {
  await bridge.must(['nft', `add table bridge loss; add chain bridge loss forward { type filter hook forward priority 0; }`])
  await bridge.must(['nft', `add rule bridge loss forward ip protocol tcp numgen random mod 1000 < ${percent * 10} counter drop`])
  return {
    lost: async () => Number(/packets (\d+)/.exec(await bridge.must(['nft', 'list', 'table', 'bridge', 'loss']))?.[1]),
    [Symbol.asyncDispose]: async () => void (await bridge.must(['nft', 'delete', 'table', 'bridge', 'loss'])),
  }
}
