/** What is noted of a packet's flags, by both programs. */

import { TcpFlag } from './packet.ts'

/**
 * A FIN or RST that is further than this from where its sender has got to is of another connection: of one before, from the same port, that was still on its way. Senders choose their first numbers so that this
 * is told in most cases (RFC 6528 3: some 16 MB apart for each second).
 */
export const farBytes = 0x20_0000

/** Flags that end a connection. */
export const endingFlags = TcpFlag.fin | TcpFlag.rst

/** Of a packet that begins so far from where its sender has got to. */
export const notedFlags = (flags: number, distance: number): number => (distance >= -farBytes && distance < farBytes ? flags : flags & ~endingFlags)
