/** All cases. */
import type { Case } from '../case.ts'
import { grantCases } from './grants.ts'
import { reconnectCases } from './reconnects.ts'

export const cases: readonly Case[] = [...grantCases, ...reconnectCases]
export const failoverCases: readonly Case[] = []
