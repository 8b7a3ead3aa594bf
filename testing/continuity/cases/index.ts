/** All cases. */
import type { Case } from '../case.ts'
import { appInstanceCases } from './app-instances.ts'
import { channelSequenceCases } from './channel-sequences.ts'
import { channelCases } from './channels.ts'
import { createReplayCases } from './create-replays.ts'
import { grantCases } from './grants.ts'
import { leaseCases } from './leases.ts'
import { lockSequenceCases } from './lock-sequences.ts'
import { parkedNameCases } from './parked-names.ts'
import { reconnectCases } from './reconnects.ts'
import { resilienceCases } from './resilience.ts'

export { failoverCases } from './failovers.ts'
export { unresolvedCases } from './unresolved.ts'

/** Asked of a server that runs. */
export const cases: readonly Case[] = [
  ...grantCases,
  ...reconnectCases,
  ...leaseCases,
  ...createReplayCases,
  ...channelSequenceCases,
  ...channelCases,
  ...lockSequenceCases,
  ...resilienceCases,
  ...appInstanceCases,
  ...parkedNameCases,
]
