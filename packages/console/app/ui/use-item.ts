/** One thing of the API, read as lists are. */
import { useEffect, useState } from 'preact/hooks'
import type { Trouble } from '../../src/types.ts'
import { troubleOf } from '../api.ts'
import { touched } from '../live.ts'
import { useSignal } from './use.ts'

/** What is known of it. */
export interface Item<T> {
  readonly value: T | undefined
  readonly problem: Trouble | undefined
}

/** Reads it with `read` at once, when `key` changes, when an operation on one of `topics` has ended, and every `everyMs`. */
export function useItem<T>(key: string, topics: readonly string[], read: () => Promise<T>, everyMs = 10_000): Item<T> {
  const [item, setItem] = useState<Item<T>>({ value: undefined, problem: undefined })
  const all = useSignal(touched)
  const touches = topics.map(topic => all[topic] ?? 0).join()
  useEffect(() => setItem({ value: undefined, problem: undefined }), [key])
  useEffect(() => {
    let gone = false
    const load = (): void => {
      read().then(
        value => {
          if (!gone) setItem({ value, problem: undefined })
        },
        (error: unknown) => {
          if (!gone) setItem(before => ({ ...before, problem: troubleOf(error) }))
        },
      )
    }
    load()
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') load()
    }, everyMs)
    return () => {
      gone = true
      clearInterval(timer)
    }
  }, [key, touches, everyMs])
  return item
}
