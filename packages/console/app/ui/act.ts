/** What one click does. */
import type { Operation } from '../../src/types.ts'
import { ask, troubleOf } from '../api.ts'
import { begun, learn } from '../live.ts'
import { tell } from './toasts.tsx'

/** Begins an operation; what is refused at once is told in the corner, as is the outcome. */
export function act(send: () => Promise<{ readonly operation: string }>): void {
  send().then(
    ({ operation }) => void begun.add(operation),
    (error: unknown) => tell(troubleOf(error).detail),
  )
}

/** Asks for the end of an operation; that it is over comes as an event. */
export function cancel({ id }: Operation): void {
  ask('operation.cancel', id).then(
    operation => learn([operation]),
    (error: unknown) => tell(troubleOf(error).detail),
  )
}
