/** What each action of the life cycle is. */
import type { Actions } from './core.ts'
import { forget } from './expiry.ts'
import { forwardAll, gather, sendOn } from './following.ts'
import { abandon, drop, giveToProxy, handOver, settle, thawAndProxy } from './hand-over.ts'
import { finish, handOverAgain, passAbort, release, settleAgain, waitForAck } from './release.ts'
import { reset } from './reset.ts'
import { restoreAndProxy } from './restore.ts'
import { closeOpened, forgetOpened, gatherFirst } from './opened.ts'

/** The functions of the table's actions. */
export const actions: Actions = {
  'hand-over': handOver,
  proxy: giveToProxy,
  drop,
  close: closeOpened,
  settle,
  thaw: thawAndProxy,
  'settle-again': settleAgain,
  restore: restoreAndProxy,
  'send-on': sendOn,
  gather,
  'gather-first': gatherFirst,
  release,
  'forward-all': forwardAll,
  'hand-over-again': handOverAgain,
  'wait-for-ack': waitForAck,
  finish,
  reset,
  'pass-abort': passAbort,
  forget,
  abandon,
  'forget-opened': forgetOpened,
}
