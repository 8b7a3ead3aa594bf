/** What becomes of requests that were under way when a connection was lost, as a table (MS-SMB2 3.2.4.1.10, 3.2.7.1). */
import { Command } from '../messages/index.ts'
import type { Batch } from './batches.ts'
import { RemoteOpen } from './remote-open.ts'
import type { AnyRecord } from './requests.ts'

/**
 * `send`: as if it never had been sent. `replay`: with SMB2_FLAGS_REPLAY_OPERATION, so that the server carries it out at most once.
 * `done`: the loss did it. `lost`: rejected, for the open is lost. `interrupted`: rejected, whoever sent it decides.
 */
export type Verdict = 'send' | 'replay' | 'done' | 'lost' | 'interrupted'

interface Rule {
  /** It was sent; its open, where it has one, was had again. */
  readonly sent: Verdict
  /** Its open is lost. */
  readonly openLost: Verdict
}

const harmless: Rule = { sent: 'send', openLost: 'lost' }
const replayed: Rule = { sent: 'replay', openLost: 'lost' }
const over: Rule = { sent: 'done', openLost: 'done' }

/** Command -> what becomes of it. */
export const replayRules: Readonly<Record<number, Rule>> = Object.freeze({
  [Command.treeConnect]: harmless,
  [Command.read]: harmless,
  [Command.flush]: harmless,
  [Command.echo]: harmless,
  [Command.queryInfo]: harmless,
  [Command.queryDirectory]: harmless,
  [Command.changeNotify]: harmless,
  [Command.create]: replayed,
  [Command.write]: replayed,
  [Command.setInfo]: replayed,
  [Command.ioctl]: replayed,
  [Command.lock]: replayed,
  // The open is had again to be closed; where it is lost, that is what was asked for.
  [Command.close]: { sent: 'send', openLost: 'done' },
  [Command.treeDisconnect]: over,
  [Command.logoff]: over,
  // A break of before is not one of after: having the open again tells the lease.
  [Command.oplockBreak]: over,
})

/** The open a request is about; undefined for a path, a compound's open, or none. */
export function openOf({ value }: AnyRecord): RemoteOpen | undefined {
  const { fileId } = value as { readonly fileId?: unknown }
  return fileId instanceof RemoteOpen ? fileId : undefined
}

/** A CREATE without a CreateGuid is nothing that a server could recognize. */
const isRecognizable = ({ operation, value }: AnyRecord): boolean =>
  operation.command !== Command.create || (value as { readonly createContexts?: Buffer }).createContexts!.length > 0

/** What becomes of a batch. */
export function verdictOf({ pendings, isSent }: Batch): Verdict {
  if (pendings.length > 1) return isSent ? 'interrupted' : 'send'
  const { record } = pendings[0]
  const rule = replayRules[record.operation.command] ?? over
  if (openOf(record)?.error !== undefined) return rule.openLost
  if (!isSent) return 'send'
  return rule.sent === 'replay' && !isRecognizable(record) ? 'send' : rule.sent
}
