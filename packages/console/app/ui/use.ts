/** Hooks. */
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { signal, type Readable } from '../../src/signal.ts'

/** The value of a signal; the component is drawn again when it changes. */
export function useSignal<T>(source: Readable<T>): T {
  const [value, setValue] = useState(source.value)
  useLayoutEffect(() => {
    setValue(() => source.value)
    return source.subscribe(() => setValue(() => source.value))
  }, [source])
  return value
}

const seconds = signal(Date.now())
setInterval(() => seconds.set(Date.now()), 1000)
/** The time, each second anew. */
export const useNow = (): number => useSignal(seconds)

/** The page's title. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Holdfast`
  }, [title])
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const media = matchMedia(query)
    const changed = (): void => setHolds(media.matches)
    media.addEventListener('change', changed)
    return () => media.removeEventListener('change', changed)
  }, [query])
  return holds
}
