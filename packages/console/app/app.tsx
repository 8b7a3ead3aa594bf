/** The shell: who is logged in sees the navigation and a page, everybody else the login. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { session } from './api.ts'
import { connection } from './stream.ts'
import { Login } from './pages/login.tsx'
import { pages } from './pages/index.tsx'
import { place } from './router.ts'
import { listenToKeys } from './shortcuts.tsx'
import { DialogPlace, closeDialog } from './ui/dialog.tsx'
import { Navigation, TopBar } from './ui/navigation.tsx'
import { Empty } from './ui/parts.tsx'
import { Toasts } from './ui/toasts.tsx'
import { useSignal } from './ui/use.ts'

/** Everything. */
export function App(): JSX.Element {
  const own = useSignal(session)
  if (own === undefined) return <p class="loading">Reading…</p>
  return own === null ? <Login /> : <Console />
}

function Console(): JSX.Element {
  const { page, argument, query } = useSignal(place)
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const found = pages[page]
  useEffect(listenToKeys, [])
  useEffect(() => {
    closeDialog()
    if (!isFirst.current) {
      // As after a page has loaded: at its top, and read out from its heading.
      scrollTo(0, 0)
      main.current?.querySelector('h1')?.focus({ preventScroll: true })
    }
    isFirst.current = false
  }, [page, argument])
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={event => {
          event.preventDefault()
          main.current?.focus()
        }}
      >
        Skip to the content
      </a>
      <TopBar />
      <Navigation page={page} />
      <main id="main" ref={main} tabIndex={-1}>
        <LostConnection />
        {found === undefined ? (
          <Empty icon="search">
            <h1>There is no such page</h1>
            <p>
              <a href="#/overview">To the overview</a>
            </p>
          </Empty>
        ) : (
          <found.view key={`${page}/${argument ?? ''}`} argument={argument} query={query} />
        )}
      </main>
      <DialogPlace />
      <Toasts />
    </div>
  )
}

const LostConnection = (): JSX.Element => {
  const isLost = useSignal(connection) === 'lost'
  return (
    <div role="status">
      {isLost ? (
        <p class="lost">The connection to the node is lost. What you see is as it was; it goes on by itself when the node answers.</p>
      ) : undefined}
    </div>
  )
}
