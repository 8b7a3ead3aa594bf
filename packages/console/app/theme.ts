/** Dark or light: as the system is, or as was chosen, which is remembered. */
import { signal } from '../src/signal.ts'

/** What was chosen. */
export type Theme = 'system' | 'light' | 'dark'
const key = 'holdfast.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const themes: readonly Theme[] = ['system', 'light', 'dark']

function remembered(): Theme {
  try {
    return themes.find(theme => theme === localStorage.getItem(key)) ?? 'system'
  } catch {
    // Storage may be forbidden; then nothing is remembered.
    return 'system'
  }
}

/** What was chosen, and what is shown. */
export const theme = signal<Theme>(remembered())
export const shownTheme = signal<'light' | 'dark'>('light')

function show(): void {
  const shown = theme.value === 'system' ? (dark.matches ? 'dark' : 'light') : theme.value
  document.documentElement.dataset['theme'] = shown
  shownTheme.set(shown)
}
dark.addEventListener('change', show)
theme.subscribe(() => {
  show()
  try {
    localStorage.setItem(key, theme.value)
  } catch {
    // As above.
  }
})
show()

/** system -> light -> dark -> system. */
export const nextTheme = (): void => theme.set(themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'system')
