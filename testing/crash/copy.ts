/** `holdfast cp` up and down, while the server is killed again and again: one copy, and nobody notices. */
import { createHash } from 'node:crypto'
import { createReadStream, globSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../peers/command.ts'
import { randomContent, temporaryFolder } from '../peers/folder.ts'
import { alice, productMain } from '../peers/server.ts'
import { mebibyte } from '../peers/smb-client-target.ts'
import { Phoenix, shareName } from './phoenix.ts'

/** What to copy, and how often the server dies. */
export interface CopyOptions {
  readonly bytes: number
  readonly kills: number
  readonly print: (line: string) => void
}

const copyMsMax = 10 * 60_000
const pollMs = 2

async function writeRandom(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'w')
  for (let at = 0; at < bytes; at += mebibyte) await file.write(randomContent(Math.min(mebibyte, bytes - at)))
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: mebibyte })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

const sizeOf = (path: string | undefined): number => (path === undefined ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0))
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Kills the server each time another part has arrived. Resolves, when `isOver`, with how long nothing came after each death, in ms; and complaints. */
async function killing(
  phoenix: Phoenix,
  { bytes, kills, arrived, isOver }: { bytes: number; kills: number; arrived: () => number; isOver: () => boolean },
): Promise<{ readonly pausesMs: readonly number[]; readonly complaints: readonly string[] }> {
  const pausesMs: number[] = []
  const complaints: string[] = []
  const part = bytes / (kills + 1)
  let most = 0
  let cameMs = performance.now()
  for (; !isOver(); await sleep(pollMs)) {
    const now = arrived()
    if (now < most) complaints.push(`there were ${most} bytes, and then ${now}`)
    if (now > most) {
      const ms = performance.now()
      if (pausesMs.length > 0) pausesMs.push(Math.max(pausesMs.pop()!, ms - cameMs))
      cameMs = ms
    }
    most = Math.max(most, now)
    if (pausesMs.length < kills && now >= (pausesMs.length + 1) * part && phoenix.kill()) pausesMs.push(0)
  }
  if (pausesMs.length < kills) complaints.push(`only ${pausesMs.length} of ${kills} deaths`)
  return { pausesMs, complaints }
}

/** Copies there and back; returns the number of complaints. */
export async function copyUnderFire({ bytes, kills, print }: CopyOptions): Promise<number> {
  await using folder = temporaryFolder('crash-copy', { needBytes: 4 * bytes })
  await using phoenix = await Phoenix.start({ folder: folder.path })
  const [source, there, back] = [folder.at('source'), join(phoenix.folders.docs, 'copy.bin'), folder.at('back')]
  await writeRandom(source, bytes)
  const expected = await digestOf(source)
  const { host, port } = phoenix.smb
  const url = `smb://${alice.user}@${host}:${port}/${shareName}/copy.bin`

  const copy = async (name: string, words: readonly string[], target: string, arrived: () => number): Promise<number> => {
    const begin = performance.now()
    let isOver = false
    const env = { HOLDFAST_PASSWORD: alice.password }
    const done = runCommand(process.execPath, [productMain, 'cp', ...words], { env, timeoutMs: copyMsMax }).finally(() => (isOver = true))
    const { pausesMs, complaints } = await killing(phoenix, { bytes, kills, arrived, isOver: () => isOver })
    const { status, stderr } = await done
    const duration = performance.now() - begin
    const bad = [...complaints]
    if (status !== 0) bad.push(`exit status ${status}: ${stderr}`)
    else if ((await digestOf(target)) !== expected) bad.push('the SHA-256 differs')
    const rate = Math.round(bytes / mebibyte / (duration / 1000))
    const pauses = pausesMs.map(seconds).join(', ')
    print(
      `${name}: ${bytes / mebibyte} MiB in ${seconds(duration)} (${rate} MiB/s), ${pausesMs.length} deaths, after which nothing came for ${pauses}`,
    )
    bad.forEach(line => print(`FAILED ${name}: ${line}`))
    return bad.length
  }
  const bad =
    (await copy('copy to the server', [source, url], there, () => sizeOf(there))) +
    (await copy('copy from the server', [url, back], back, () => sizeOf(globSync(`${back}*`)[0])))
  const { records } = await phoenix.order()
  records.forEach(key => print(`FAILED copies: the store has ${key}`))
  return bad + records.length
}
