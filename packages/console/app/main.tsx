/** Starts the console. */
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/shell.css'
import './styles/parts.css'
import './styles/table.css'
import './styles/form.css'
import './styles/pages.css'
import './theme.ts'
import { App } from './app.tsx'
import { resume, session } from './api.ts'
import { followSessions } from './live.ts'

followSessions()
// Without a login the API says 401; where it cannot be reached, the login says so when it is tried.
resume().catch(() => session.set(null))
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
