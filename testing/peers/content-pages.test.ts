import assert from 'node:assert/strict'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { assertAccessible, startBrowser } from './browser.ts'
import type { TestBrowser } from './browser.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { alice, readyWords, startServer } from './server.ts'
import type { Server } from './server.ts'

/** Where to put pictures of the pages, for people who want to look at them. */
const pictures = process.env['HOLDFAST_SCREENSHOTS']

describe('pages of HTTP content in Chromium', { skip: missing('chromium') }, () => {
  let folder: TemporaryFolder
  let server: Server
  let browser: TestBrowser
  let host: string

  before(async () => {
    folder = temporaryFolder('content-pages')
    const write = (path: string, bytes: string | Buffer, modified: string): void => {
      writeFileSync(folder.at('docs', path), bytes)
      utimesSync(folder.at('docs', path), new Date(modified), new Date(modified))
    }
    mkdirSync(folder.at('docs', 'Pictures of 2026', 'July'), { recursive: true })
    for (const name of ['Minutes', 'Templates', 'empty']) mkdirSync(folder.at('docs', name))
    write('report-10.pdf', Buffer.alloc(2_345_678), '2026-03-01T08:00:00Z')
    write('report-9.pdf', Buffer.alloc(1_234_567), '2026-02-01T08:00:00Z')
    write('Übersicht & Plan <2026>.txt', 'Überblick', '2026-10-01T12:34:00Z')
    write(
      'a name that is so long that it has to be broken somewhere, as names that programs make up often are: 0123456789.log',
      '1',
      '2025-12-24T18:00:00Z',
    )
    write('active.html', '<title>before</title><p>text</p><script>document.title = "after"</script>', '2026-01-01T00:00:00Z')
    const shares = { docs: `${folder.at('docs')},public`, site: `${folder.at('docs')},public,active-content`, private: folder.at('docs') }
    server = await startServer({ shares, extra: ['--content', '127.0.0.1:0'] })
    host = readyWords(server.ready).get('content')!
    browser = await startBrowser()
  })
  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  for (const theme of ['light', 'dark'] as const) {
    for (const width of [1200, 390]) {
      test(`a folder is worth looking at, and accessible: ${theme}, ${width} pixels`, async () => {
        const page = await browser.page({ theme, width })
        for (const [name, path] of [
          ['shares', '/'],
          ['folder', '/docs/'],
          ['empty', '/docs/empty/'],
          ['nothing', '/docs/nothing'],
        ] as const) {
          await page.goto(`http://${host}${path}`)
          await assertAccessible(page, `${path} in ${theme}`)
          assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, path)
          if (pictures !== undefined) await page.screenshot({ path: `${pictures}/content-${name}-${theme}-${width}.png` })
        }
        await page.context().close()
      })
    }
  }

  test('one finds the way in and out, and sorts', async () => {
    const page = await browser.page()
    await page.goto(`http://${host}/`)
    await page.getByRole('link', { name: 'docs' }).click()
    const names = () => page.locator('td.name').allInnerTexts()
    const [folders, reports] = [
      ['empty', 'Minutes', 'Pictures of 2026', 'Templates'],
      ['report-9.pdf', 'report-10.pdf'],
    ]
    const shown = await names()
    assert.deepEqual(shown.slice(0, 4), folders)
    assert.deepEqual(shown.slice(-3), [...reports, 'Übersicht & Plan <2026>.txt'])
    await page.getByRole('link', { name: 'Size' }).click()
    await page.getByRole('link', { name: 'Size' }).click()
    assert.deepEqual((await names()).slice(4, 6), reports.toReversed())
    assert.equal(await page.locator('th.size').getAttribute('aria-sort'), 'descending')
    await page.getByRole('link', { name: 'Pictures of 2026' }).click()
    await page.getByRole('link', { name: 'July' }).click()
    assert.equal(await page.getByText('This folder is empty.').count(), 1)
    assert.equal(decodeURIComponent(new URL(page.url()).pathname), '/docs/Pictures of 2026/July/')
    await page.getByRole('navigation').getByRole('link', { name: 'docs' }).click()
    await page.getByRole('link', { name: 'Übersicht' }).click()
    assert.equal(await page.locator('body').innerText(), 'Überblick')
    await page.context().close()
  })

  test('a script in a file runs where the share has active content, and nowhere else', async () => {
    const page = await browser.page()
    const titleOf = async (share: string): Promise<string> => {
      await page.goto(`http://${host}/${share}/active.html`)
      return page.title()
    }
    assert.equal(await titleOf('docs'), 'before')
    assert.equal(await titleOf('site'), 'after')
    await page.context().close()
  })

  test('who has logged in stays so from page to page', async () => {
    const page = await browser.page()
    await page.goto(`http://${alice.user}:${alice.password}@${host}/private/`)
    await page.getByRole('link', { name: 'Minutes' }).click()
    assert.equal(await page.getByText('This folder is empty.').count(), 1)
    await page.context().close()
  })

  test('no page breaks its own policy', () => {
    // What the sandbox keeps a script from is told, as it shall be.
    const breaches = browser.complaints.filter(text => !text.includes("sandboxed and the 'allow-scripts' permission is not set"))
    assert.deepEqual(breaches, [])
  })
})
