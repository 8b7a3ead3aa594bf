/** The login: the one page without a session. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Trouble } from '../../src/types.ts'
import { login, troubleOf } from '../api.ts'
import { Icon, Mark } from '../ui/icons.tsx'
import { Button } from '../ui/parts.tsx'
import { useTitle } from '../ui/use.ts'

/** Asks who it is. */
export function Login(): JSX.Element {
  const [problem, setProblem] = useState<Trouble>()
  const [busy, setBusy] = useState(false)
  const user = useRef<HTMLInputElement>(null)
  const password = useRef<HTMLInputElement>(null)
  useTitle('Log in')
  useEffect(() => user.current?.focus(), [])

  const submitted = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setProblem(undefined)
    try {
      await login(user.current?.value ?? '', password.current?.value ?? '')
    } catch (error) {
      setProblem(troubleOf(error))
      setBusy(false)
      password.current?.select()
    }
  }
  return (
    <main class="login">
      <form noValidate onSubmit={event => void submitted(event)}>
        <div class="login-brand">
          <Mark />
          <h1>Holdfast</h1>
          <p class="muted">Log in to {location.host}</p>
        </div>
        {problem === undefined ? undefined : (
          <div class="problem" role="alert">
            <Icon name="warning" />
            <p>{problem.detail}</p>
          </div>
        )}
        <div class="field">
          <label for="user">User</label>
          <input ref={user} id="user" name="user" type="text" autocomplete="username" autocapitalize="none" spellcheck={false} />
        </div>
        <div class="field">
          <label for="password">Password</label>
          <input ref={password} id="password" name="password" type="password" autocomplete="current-password" />
        </div>
        <Button type="submit" look="primary" label={busy ? 'Logging in…' : 'Log in'} disabled={busy} />
      </form>
    </main>
  )
}
