/** What agents say, and what is done when they say nothing. */
import { DeadlineQueue } from '../loop/index.ts'
import type { Loop } from '../loop/index.ts'
import { handoffGoodForMs } from '../protocol/index.ts'
import type { DirectorHandler, DirectorLink, Health, HealthEvent } from '../protocol/index.ts'
import { ahead } from '../transform/index.ts'
import type { Agent } from './agents.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { assign, fire } from './core.ts'
import { refusalWord } from './counters.ts'
import { acknowledgeGathered } from './following.ts'
import { repeatFirst } from './hand-over.ts'
import { lookWhileBusy, repeatRelease, sendAgain } from './release.ts'

/** What has not been answered is sent again after so long. */
const repeatMs = 10
/**
 * When HANDOFF is given up. An agent that is only slow, or stands still, may yet take the connection: its server and ours would both answer the client, who would get a mixture of both. It does not take what is older
 * than `handoffGoodForMs`; so nothing younger is sent shortly before, and its ACCEPT has the same time again to get here.
 */
const handoffMsMax = 2 * handoffGoodForMs
const lastRepeatMs = 400
/** When RELEASE is: without its answer the client is reset. An agent that is being started again, or has much to do, answers some time. */
const releaseMsMax = 3000
/** What is not answered is sent again after 10, 30, 70, 150 ms, and so on, but not before most answers come: who has much to do gets no more of it than needed. */
const patience = { answers: 3, msMax: 200 } as const
const isTurn = (tries: number): boolean => (tries & (tries + 1)) === 0

/** Deadlines of answers: one for each connection that waits for one. */
export class AnswerDeadlines {
  readonly #core: Core
  readonly #queue: DeadlineQueue<Connection>

  constructor(core: Core, loop: Loop) {
    this.#core = core
    this.#queue = new DeadlineQueue(
      connection => this.#due(connection),
      connection => connection.state === 'gone',
    )
    loop.addQueue(this.#queue)
  }

  /** Something has been sent for the connection, or is waited for. */
  add(connection: Connection): void {
    connection.tries = 0
    connection.askedMs = this.#core.loop.now()
    if (connection.awaitsDeadline) return
    connection.awaitsDeadline = true
    this.#queue.add(connection, repeatMs, connection.askedMs)
  }

  #due(connection: Connection): void {
    connection.awaitsDeadline = false
    const late = lateness[connection.state]
    if (late === undefined) return
    const now = this.#core.loop.now()
    // It may be an older question's deadline.
    if (now - connection.askedMs >= repeatMs - 1) late(this.#core, connection)
    if (connection.awaitsDeadline || !isWaiting(connection)) return
    connection.awaitsDeadline = true
    this.#queue.add(connection, repeatMs, now)
  }
}

/** Whether there will be something to do in 10 ms, though nothing comes. */
const isWaiting = ({ state, gathered }: Connection): boolean =>
  lateness[state] !== undefined && ((state !== 'gathering' && state !== 'opened') || gathered?.acknowledgedEnd !== gathered?.end)

type Late = (core: Core, connection: Connection) => void

/** In states that wait: what is done every 10 ms. */
const lateness: { readonly [S in Connection['state']]?: Late } = {
  holding: (core, connection) => awaitAccept(core, connection, repeatFirst),
  'handing-again': (core, connection) => awaitAccept(core, connection, sendAgain),
  releasing(core, connection) {
    const { agent } = connection
    if (agent === undefined) return
    if (connection.isBusy) return lookWhileBusy(core, connection, agent)
    if (core.loop.now() - connection.askedMs > releaseMsMax) fire(core, connection, 'mute')
    else if (isTurn(++connection.tries)) repeatRelease(connection, agent)
  },
  opened: acknowledge,
  gathering: acknowledge,
}

function acknowledge(core: Core, connection: Connection): void {
  const { gathered } = connection
  if (gathered !== undefined && (!gathered.acknowledged || gathered.acknowledgedEnd !== gathered.end)) acknowledgeGathered(core, connection)
}

function awaitAccept(core: Core, connection: Connection, repeat: (core: Core, connection: Connection, agent: Agent) => void): void {
  const { agent } = connection
  if (agent === undefined) return giveUp(core, connection)
  const waitedMs = core.loop.now() - connection.askedMs
  if (waitedMs >= handoffMsMax) return giveUp(core, connection)
  if (waitedMs < Math.min(patience.msMax, patience.answers * agent.answerMs) || waitedMs > lastRepeatMs || !isTurn(++connection.tries)) return
  core.counters.repeats++
  repeat(core, connection, agent)
}

/** The agent is gone, or as good as. */
function giveUp(core: Core, connection: Connection): void {
  if (takeAsAccepted(core, connection)) return
  core.counters.refusals.silent++
  fire(core, connection, 'refused')
}

/** The client has acknowledged more than it got from us: the server has the request, and only ACCEPT has been lost. */
function takeAsAccepted(core: Core, connection: Connection): boolean {
  if (connection.state !== 'holding' && connection.state !== 'handing-again') return false
  const lastAck = core.entries.seen(connection)?.lastAck ?? 0
  if (lastAck === 0 || ahead(lastAck, connection.serverSequenceNext) <= 0) return false
  return fire(core, connection, acceptance(connection))
}

/** Of one that was asked once: nobody knows which of several questions an answer is to (RFC 6298 3). */
function noteAnswer({ loop }: Core, { agent, tries, askedMs }: Connection): void {
  if (agent !== undefined && tries === 0) agent.answerMs += (loop.now() - askedMs - agent.answerMs) / 8
}

const acceptance = ({ isLast }: Connection): 'accepted' | 'accepted-last' => (isLast ? 'accepted-last' : 'accepted')

/** The messages of agents, as events. What is about another generation, or of another agent than the one that has the connection, is late. */
export function createHandler(core: () => Core): DirectorHandler {
  const named = (link: DirectorLink, number: number, generation: number): Connection | undefined => {
    const connection = core().connections.named(number, generation)
    return connection?.agent?.link === link ? connection : undefined
  }
  return {
    accepted(link, number, generation) {
      const connection = named(link, number, generation)
      if (connection === undefined) return
      noteAnswer(core(), connection)
      fire(core(), connection, acceptance(connection))
    },
    refused(link, number, generation, reason) {
      const connection = named(link, number, generation)
      if (connection === undefined) return
      core().counters.refusals[refusalWord(reason)]++
      // It has nothing that would have to be taken back.
      assign(connection, undefined)
      fire(core(), connection, 'refused')
    },
    released(link, number, generation) {
      const connection = named(link, number, generation)
      if (connection !== undefined) fire(core(), connection, 'released')
    },
    busy(link, number, generation) {
      const connection = named(link, number, generation)
      if (connection !== undefined) fire(core(), connection, 'busy')
    },
    closed(link, number, generation) {
      const connection = named(link, number, generation)
      if (connection !== undefined) fire(core(), connection, 'closed')
    },
    owner: (link, owner) => core().learn(link, owner),
    health: (link, health, before, event) => onHealth(core(), link, health, before, event),
  }
}

function onHealth(core: Core, link: DirectorLink, health: Health, before: Health, event: HealthEvent): void {
  const { agents, connections, loop } = core
  agents.setHealth(link, health, loop.now())
  // Where nobody takes connections, our own stack does.
  core.answerSyns(agents.anyHealthy)
  core.notice(`server agent ${link.agent.text} is ${health} (was ${before})`)
  for (const connection of connections.byFlow.values()) {
    if (connection.agent?.link !== link) continue
    if (health === 'machine-gone') fire(core, connection, 'machine-gone')
    // It has been started again, and is asked anew.
    else if (health === 'healthy' && connection.state === 'releasing') core.awaitAnswer(connection)
    // Nobody is there any more who might still answer. Who only says nothing may stand still, and is waited for.
    else if (event === 'refused' && !takeAsAccepted(core, connection)) fire(core, connection, 'agent-gone')
  }
}
