/** Where one can go: a column, narrow icons where there is less room, and a drawer on a phone. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { hasEnded } from '../../src/operations.ts'
import { signal } from '../../src/signal.ts'
import { ask, session } from '../api.ts'
import { operations } from '../live.ts'
import { pages } from '../pages/index.tsx'
import { Shortcuts } from '../shortcuts.tsx'
import { connection, type Connection } from '../stream.ts'
import { nextTheme, theme, type Theme } from '../theme.ts'
import { openDialog } from './dialog.tsx'
import { Icon, Mark, type IconName } from './icons.tsx'
import { Button } from './parts.tsx'
import { useSignal } from './use.ts'

const themeLabels: Readonly<Record<Theme, readonly [label: string, icon: IconName]>> = {
  system: ['Theme: as the system', 'system'],
  light: ['Theme: light', 'light'],
  dark: ['Theme: dark', 'dark'],
}
const connectionLabels: Readonly<Record<Connection, string>> = { connecting: 'Connecting', live: 'Live', lost: 'Not connected' }
const drawer = signal(false)

const Live = (): JSX.Element => {
  const state = useSignal(connection)
  return (
    <span class={`live ${state}`} title="The event stream">
      {connectionLabels[state]}
    </span>
  )
}

/** On a phone. */
export const TopBar = (): JSX.Element => (
  <header class="top-bar">
    <Button icon="menu" label="Menu" iconOnly look="quiet" onClick={() => drawer.set(true)} />
    <a class="brand" href="#/overview">
      <Mark />
      <span>Holdfast</span>
    </a>
    <Live />
  </header>
)

const RunningCount = (): JSX.Element | null => {
  const running = [...useSignal(operations).values()].filter(operation => !hasEnded(operation)).length
  return running === 0 ? null : (
    <span class="count" aria-label={`${running} running`}>
      {running}
    </span>
  )
}

function Links({ page }: { readonly page: string }): JSX.Element {
  const role = useSignal(session)?.role
  const shown = Object.entries(pages).filter(([, { adminOnly }]) => adminOnly !== true || role === 'admin')
  const groups = [...new Set(shown.map(([, { group }]) => group))]
  return (
    <nav aria-label="Pages">
      {groups.map(group => (
        <div key={group} class="group">
          {group === '' ? undefined : (
            <span class="group-name" aria-hidden="true">
              {group}
            </span>
          )}
          <ul>
            {shown
              .filter(([, one]) => one.group === group)
              .map(([name, { label, icon }]) => (
                <li key={name}>
                  <a href={`#/${name}`} aria-current={name === page ? 'page' : undefined} title={label}>
                    <Icon name={icon} />
                    <span class="label">{label}</span>
                    {name === 'operations' ? <RunningCount /> : undefined}
                  </a>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  )
}

function Foot(): JSX.Element {
  const own = useSignal(session)
  const [label, icon] = themeLabels[useSignal(theme)]
  // Where it cannot be told, the session ends by itself; here it is over.
  const logout = (): void =>
    void ask('logout')
      .catch(() => undefined)
      .finally(() => session.set(null))
  return (
    <div class="foot">
      <div class="who">
        <span class="name">{own?.user}</span>
        <span class="muted">{own?.role}</span>
      </div>
      <div class="foot-buttons">
        <Button icon={icon} label={label} iconOnly look="quiet" shortcut="t" onClick={nextTheme} />
        <Button icon="keys" label="Keyboard shortcuts" iconOnly look="quiet" shortcut="?" onClick={() => openDialog(<Shortcuts />)} />
        <Button icon="leave" label="Log out" iconOnly look="quiet" onClick={logout} />
      </div>
    </div>
  )
}

/** All of it. */
export function Navigation({ page }: { readonly page: string }): JSX.Element {
  const isOpen = useSignal(drawer)
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isOpen) element.current?.showModal()
    else element.current?.close()
  }, [isOpen])
  const inside = (
    <>
      <div class="side-head">
        <a class="brand" href="#/overview">
          <Mark />
          <span class="label">Holdfast</span>
        </a>
        <Live />
      </div>
      <Links page={page} />
      <Foot />
    </>
  )
  return (
    <>
      <header class="side">{inside}</header>
      <dialog
        ref={element}
        class="drawer"
        aria-label="Menu"
        onClose={() => drawer.set(false)}
        onClick={event => {
          if (event.target === element.current || (event.target as HTMLElement).closest('a, .foot button') !== null) drawer.set(false)
        }}
      >
        {isOpen ? inside : undefined}
      </dialog>
    </>
  )
}
