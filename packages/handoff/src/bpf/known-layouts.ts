/** What the agent tells the director's program of requests that it may send on by itself: keys and values of two maps. See `programs/known-request.ts`. */

import { bytes, reserved, struct, u16be, u32 } from '@holdfast/wire'

/** Of requests that may be known. */
export const KnownLimits = {
  /** Up to the end of the target, as `GET /videos/film.mp4`. A multiple of 8. */
  lineBytesMax: 256,
  /** Of the header section, with the empty line at its end. The kernel has no longer keys everywhere. */
  headerBytesMax: 512,
  /** Header sections that are known at a time: of more, those go that have not been seen for longest. */
  headersMax: 4096,
} as const

const targetBytes = 124

/** Key of `owners` (a trie, struct bpf_lpm_trie_key): how many bits count, and the first bytes of a target. */
export const OwnerKey = { bytes: 4 + targetBytes, targetAt: 4, targetBytes, bitsMax: 8 * targetBytes } as const

/** Value of `owners`: who has what begins so. Port 0: only the agent can tell. */
export const OwnerValue = struct('owner', {
  address: bytes(16),
  port: u16be,
  reserved: reserved(bytes(6)),
})

/** Value of `headers`, whose keys are header sections with zeros behind them. */
export const HeaderValue = struct('known header section', {
  /** Of the header section itself. */
  length: u32,
  reserved: reserved(u32),
})
