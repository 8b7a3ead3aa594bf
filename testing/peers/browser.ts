/** Debian's Chromium, for tests of the console: pages that hold against them whatever a browser complains of. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { findProgram, isRoot } from './packages.ts'

/** What a page is opened with. */
export interface PageOptions {
  readonly width?: number
  readonly theme?: 'light' | 'dark'
}

/** A browser; each page has cookies of its own. Stopped with `await using`. */
export interface TestBrowser extends AsyncDisposable {
  /** The one, in a context of its own. */
  page(options?: PageOptions): Promise<Page>
  /** What pages complained of: errors of scripts, breaches of the Content-Security-Policy. */
  readonly complaints: readonly string[]
}

/** Requests that are refused are part of the tests; the browser mentions each. */
const expected = /^Failed to load resource: (the server responded with a status of 4\d\d|net::ERR_)/

/** Starts it, without a window. */
export async function startBrowser(): Promise<TestBrowser> {
  const executablePath = findProgram('chromium') ?? 'chromium'
  const browser: Browser = await chromium.launch({ executablePath, args: isRoot() ? ['--no-sandbox'] : [] })
  const complaints: string[] = []
  return {
    complaints,
    async page({ width = 1440, theme = 'light' } = {}) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, reducedMotion: 'reduce' })
      listen(context, complaints)
      return context.newPage()
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
    },
  }
}

function listen(context: BrowserContext, complaints: string[]): void {
  context.on('weberror', error => complaints.push(error.error().message))
  context.on('console', message => {
    const text = message.text()
    if ((message.type() === 'error' || message.type() === 'warning') && !expected.test(text)) complaints.push(text)
  })
}

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Throws where axe-core finds anything to mend on the page as it is now: WCAG 2.2 A and AA, and its best practices. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // As the debugger does, past the page's own policy.
  await page.evaluate(`if (!('axe' in globalThis)) { ${axeSource} }`)
  const violations = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)')
  const lines = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `  ${html}\n  ${failureSummary}`).join('\n')}`,
  )
  assert.deepEqual(lines, [], what)
}
