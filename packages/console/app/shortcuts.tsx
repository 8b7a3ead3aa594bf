/** What the keyboard does. */
import type { JSX } from 'preact'
import { mayChange } from './api.ts'
import { pages } from './pages/index.tsx'
import { go } from './router.ts'
import { nextTheme } from './theme.ts'
import { Dialog, closeDialog, isDialogOpen, openDialog } from './ui/dialog.tsx'

const press = (selector: string): void => document.querySelector<HTMLElement>(selector)?.click()
const keys: Readonly<Record<string, readonly [what: string, act: () => void]>> = {
  '/': ['Filter the list', () => document.querySelector<HTMLInputElement>('main input[type=search]')?.focus()],
  n: ['New', () => press('main [aria-keyshortcuts=n]')],
  t: ['Next theme', nextTheme],
  '?': ['This list', () => openDialog(<Shortcuts />)],
}
/** How long the second key may take after `g`. */
const secondKeyMs = 1500

/** Listens until the function it returns is called. */
export function listenToKeys(): () => void {
  let goAt = -Infinity
  const pressed = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement
    if (event.ctrlKey || event.metaKey || event.altKey || isDialogOpen()) return
    if (target.matches('input:not([type=checkbox]), select, textarea')) {
      if (event.key === 'Escape') target.blur()
      return
    }
    if (event.timeStamp - goAt < secondKeyMs) {
      goAt = -Infinity
      const found = Object.entries(pages).find(([, page]) => page.key === event.key && (page.adminOnly !== true || mayChange()))
      if (found !== undefined) {
        event.preventDefault()
        go(found[0])
      }
      return
    }
    if (event.key === 'g') goAt = event.timeStamp
    const key = keys[event.key]
    if (key === undefined) return
    event.preventDefault()
    key[1]()
  }
  addEventListener('keydown', pressed)
  return () => removeEventListener('keydown', pressed)
}

/** What `?` shows. */
export function Shortcuts(): JSX.Element {
  const goTo = Object.values(pages).filter(({ adminOnly }) => adminOnly !== true || mayChange())
  return (
    <Dialog title="Keyboard" onClose={closeDialog}>
      <div class="dialog-body shortcuts">
        <dl>
          {Object.entries(keys).map(([key, [what]]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
          <div>
            <dt>
              <kbd>Esc</kbd>
            </dt>
            <dd>Close what is open</dd>
          </div>
        </dl>
        <dl>
          {goTo.map(({ key, label }) => (
            <div key={key}>
              <dt>
                <kbd>g</kbd> <kbd>{key}</kbd>
              </dt>
              <dd>{label}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  )
}
