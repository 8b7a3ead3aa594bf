import { leaseStates, oplockLevels } from './types.ts'

const { read, handle, write } = leaseStates

/** Lease states that can be held; any other request is granted as none (MS-FSA 2.1.5.17.1). */
const validStates: ReadonlySet<number> = new Set([0, read, read | handle, read | write, read | handle | write])

/** Drops what makes no sense without read caching. */
export const normaliseState = (state: number): number => (validStates.has(state) ? state : 0)

/** A state as its letters, e.g. `RWH`. */
export const stateName = (state: number): string => `${state & read ? 'R' : ''}${state & write ? 'W' : ''}${state & handle ? 'H' : ''}` || '-'

/** An oplock is a lease owned by one open: the caching each level stands for (MS-FSA 2.1.5.17). */
const stateOfLevel: Readonly<Record<number, number>> = {
  [oplockLevels.levelII]: read,
  [oplockLevels.exclusive]: read | write,
  [oplockLevels.batch]: read | write | handle,
}

/** Caching an oplock level stands for; none for a level that is no oplock. */
export const oplockState = (level: number): number => stateOfLevel[level] ?? 0

/** The best oplock level within a state: write caching is what tells exclusive and batch from level II. */
export const oplockLevel = (state: number): number => {
  if ((state & read) === 0) return oplockLevels.none
  if ((state & write) === 0) return oplockLevels.levelII
  return (state & handle) === 0 ? oplockLevels.exclusive : oplockLevels.batch
}

/** What is left of a state when a holder of this kind comes down to it: an oplock is level II then, or none. */
export const reducedState = (kind: 'oplock' | 'lease', state: number): number => (kind === 'lease' ? normaliseState(state) : state & read)
