/** The pages by their names in the address. */
import type { ComponentType } from 'preact'
import type { IconName } from '../ui/icons.tsx'
import { Audit } from './audit.tsx'
import { Events } from './events.tsx'
import { Opens } from './opens.tsx'
import { Operations } from './operations.tsx'
import { Overview } from './overview.tsx'
import { Sessions } from './sessions.tsx'
import { Shares } from './shares.tsx'
import { Users } from './users.tsx'
import { Volumes } from './volumes.tsx'

/** What a page gets: what stands behind its name in the address. */
export interface PageProps {
  readonly argument: string | undefined
  readonly query: Readonly<Record<string, string>>
}

interface Page {
  readonly label: string
  readonly icon: IconName
  /** Behind `g` on the keyboard. */
  readonly key: string
  readonly group: string
  readonly adminOnly?: true
  readonly view: ComponentType<PageProps>
}

export const pages: Readonly<Record<string, Page>> = {
  overview: { label: 'Overview', icon: 'overview', key: 'o', group: '', view: Overview },
  volumes: { label: 'Volumes', icon: 'volume', key: 'v', group: 'Storage', view: Volumes },
  shares: { label: 'Shares', icon: 'share', key: 's', group: 'Storage', view: Shares },
  sessions: { label: 'Sessions', icon: 'session', key: 'c', group: 'Clients', view: Sessions },
  opens: { label: 'Open files', icon: 'open', key: 'f', group: 'Clients', view: Opens },
  operations: { label: 'Operations', icon: 'operation', key: 'p', group: 'Activity', view: Operations },
  events: { label: 'Events', icon: 'event', key: 'e', group: 'Activity', view: Events },
  users: { label: 'Users', icon: 'user', key: 'u', group: 'Access', view: Users },
  audit: { label: 'Audit', icon: 'audit', key: 'a', group: 'Access', adminOnly: true, view: Audit },
}
