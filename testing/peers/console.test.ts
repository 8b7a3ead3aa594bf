import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { SmbClient } from '@holdfast/smb/client'
import type { Page } from 'playwright-core'
import { assertAccessible, startBrowser } from './browser.ts'
import type { PageOptions, TestBrowser } from './browser.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { missing } from './packages.ts'
import { startProxy } from './proxy.ts'
import { alice, startServer } from './server.ts'
import type { Account, Endpoint, Server } from './server.ts'

const admin: Account = { user: 'admin', password: 'Holdfast-admin-1' }
const viewer: Account = { user: 'vera', password: 'Only-looking-12' }
const mebibyte = 1024 * 1024
const pageNames = ['overview', 'volumes', 'volumes/disk0', 'shares', 'sessions', 'opens', 'operations', 'events', 'users', 'audit'] as const

describe('the console in Chromium', { skip: missing('chromium') }, () => {
  let folder: TemporaryFolder
  let server: Server
  let browser: TestBrowser

  before(async () => {
    folder = temporaryFolder('console')
    for (const name of ['docs', 'photos']) mkdirSync(folder.at(name))
    server = await startServer({
      shares: { docs: folder.at('docs') },
      accounts: [alice],
      extra: ['--admin', `${admin.user}:${admin.password}`, '--volume', 'disk0=64MiB', '--iscsi', '127.0.0.1:0'],
    })
    browser = await startBrowser()
  })
  after(async () => {
    await browser?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const urlOf = ({ host, port }: Endpoint): string => `http://${host}:${port}/`

  async function fillLogin(page: Page, { user, password }: Account): Promise<void> {
    await page.getByLabel('User').fill(user)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }
  /** A page that is logged in and hears the event stream. */
  async function open(account: Account = admin, options: PageOptions & { readonly at?: Endpoint } = {}): Promise<Page> {
    const page = await browser.page(options)
    await page.goto(urlOf(options.at ?? server.http))
    await fillLogin(page, account)
    await isLive(page)
    return page
  }
  /** The event stream is open. */
  const isLive = (page: Page): Promise<void> => page.getByText('Live', { exact: true }).filter({ visible: true }).waitFor()
  const goTo = async (page: Page, name: string): Promise<void> => {
    await page.evaluate(`location.hash = '#/${name}'`)
    await page.locator('main h1').waitFor()
  }
  /** The key for a new one: it does nothing before the page is there that has such a button. */
  const pressNew = async (page: Page): Promise<void> => {
    await page.locator('main [aria-keyshortcuts=n]').waitFor()
    await page.keyboard.press('n')
  }
  /** Fills the dialog that is open, by labels, and sends it. */
  async function send(page: Page, fields: Readonly<Record<string, string>>, button: string): Promise<void> {
    const dialog = page.getByRole('dialog')
    for (const [label, text] of Object.entries(fields)) await dialog.getByLabel(label, { exact: true }).fill(text)
    await dialog.getByRole('button', { name: button, exact: true }).click()
  }
  const row = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text })

  test('a wrong password is refused in the words of the API; the right one sets a cookie that no script can read', async () => {
    const page = await browser.page()
    await page.goto(urlOf(server.http))
    const refused = page.waitForResponse(response => response.url().endsWith('/v1/login'))
    await fillLogin(page, { ...admin, password: 'wrong' })
    const { detail } = (await (await refused).json()) as { detail: string }
    assert.equal(await page.getByRole('alert').textContent(), detail)

    await fillLogin(page, admin)
    await isLive(page)
    const [cookie] = await page.context().cookies()
    assert.deepEqual(cookie && [cookie.name, cookie.httpOnly, cookie.sameSite], ['holdfast_session', true, 'Strict'])
    assert.equal(await page.evaluate('document.cookie'), '')

    await page.reload()
    await isLive(page)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Password').waitFor()
    await page.reload()
    await page.getByLabel('Password').waitFor()
    await page.context().close()
  })

  test('a volume is made, grown, kept as a snapshot and deleted by name; lists follow by themselves', async () => {
    const page = await open()
    await goTo(page, 'volumes')
    await pressNew(page)
    await send(page, { Name: 'disk1', Size: '32MiB' }, 'Create volume')
    await row(page, 'disk1').getByText('32 MiB').waitFor()
    await page.getByRole('link', { name: 'disk1', exact: true }).click()

    await page.getByRole('button', { name: 'Grow' }).click()
    await send(page, { 'New size': '48MiB' }, 'Grow volume')
    await page.locator('.facts').getByText('48 MiB').waitFor()
    await page.getByRole('button', { name: 'Snapshot', exact: true }).click()
    await send(page, { Name: 'monday' }, 'Create snapshot')
    await row(page, 'monday').waitFor()
    assert.match((await page.locator('canvas[role=img]').getAttribute('aria-label')) ?? '', /^Map of the volume: \d+ of \d+ cells/)

    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete volume', exact: true })
    assert.equal(await confirm.isDisabled(), true)
    await page.getByRole('dialog').getByRole('textbox').fill('disk0')
    assert.equal(await confirm.isDisabled(), true)
    await page.getByRole('dialog').getByRole('textbox').fill('disk1')
    await confirm.click()
    await page.getByRole('heading', { name: 'Volumes' }).waitFor()
    await row(page, 'disk0').waitFor()
    await row(page, 'disk1').waitFor({ state: 'detached' })
    await page.context().close()
  })

  test('a share is made; wrong input shows what the API says, beside the field', async () => {
    const page = await open()
    await goTo(page, 'shares')
    await page.getByRole('button', { name: 'New share' }).click()
    const said = async (): Promise<string> => {
      const response = await page.waitForResponse(one => one.url().endsWith('/v1/shares') && one.request().method() === 'POST')
      const problem = (await response.json()) as { detail: string; errors?: readonly { field: string; message: string }[] }
      return problem.errors?.find(({ field }) => field.endsWith('name'))?.message ?? problem.detail
    }
    const refused = said()
    await send(page, { Name: 'a/b', Folder: folder.at('photos') }, 'Create share')
    const message = await refused
    assert.match(message, /allowed: a name of up to 80 characters/)
    const field = page.getByRole('dialog').getByLabel('Name', { exact: true })
    await page.getByRole('dialog').getByText(message).waitFor()
    assert.equal(await field.getAttribute('aria-invalid'), 'true')
    const described = (await field.getAttribute('aria-describedby')) ?? ''
    assert.equal(await page.locator(`[id="${described}"]`).textContent(), message)

    await send(page, { Name: 'photos', Folder: folder.at('not-there') }, 'Create share')
    await page.getByRole('dialog').locator('.field-error, [role=alert]').first().waitFor()
    await send(page, { Folder: folder.at('photos') }, 'Create share')
    await row(page, 'photos').getByText(folder.at('photos')).waitFor()
    await page.context().close()
  })

  test('progress is seen as it comes: in the form, in the list, on the first page', async () => {
    const image = folder.at('disk.raw')
    // Zeros that are there have to be read, which holes have not; and nothing has to be stored of them.
    const zeros = Buffer.alloc(64 * mebibyte)
    for (let piece = 0; piece < 20; piece++) appendFileSync(image, zeros)
    const page = await open()
    const other = await page.context().newPage()
    await other.goto(urlOf(server.http))
    await goTo(page, 'volumes')
    await pressNew(page)
    const bars: number[] = []
    await page.exposeFunction('seen', (value: number) => bars.push(value))
    await page.evaluate(`new MutationObserver(() => {
      for (const bar of document.querySelectorAll('dialog [role=progressbar]')) seen(Number(bar.getAttribute('aria-valuenow')))
    }).observe(document, { subtree: true, childList: true, attributes: true })`)
    await send(page, { Name: 'imported', 'From an image': image }, 'Create volume')
    await page.getByRole('status').getByText('Volume imported created').waitFor({ timeout: 120_000 })
    await row(page, 'imported').waitFor()
    rmSync(image)
    assert.ok(
      bars.some(value => value > 0 && value < 100) && bars.every((value, at) => at === 0 || value >= (bars[at - 1] ?? 0)),
      `progress was ${bars.join()}`,
    )

    // Another tab of the same session hears of it too: they share the one stream.
    await goTo(other, 'events')
    await other.getByText('Volume imported created').first().waitFor()
    for (const tab of [page, other]) {
      await goTo(tab, 'events')
      await tab.locator('.event-id').first().waitFor()
      const ids = await tab.locator('.event-id').allTextContents()
      assert.equal(new Set(ids).size, ids.length, 'each event once')
    }
    await goTo(page, 'operations')
    const operation = row(page, 'Volume imported created')
    await operation.getByText('succeeded').waitFor()
    await operation.getByRole('link').click()
    await page.getByRole('heading', { name: 'Result' }).waitFor()
    await page.context().close()
  })

  test('the plots move under load', async () => {
    writeFileSync(folder.at('docs', 'large'), Buffer.alloc(8 * mebibyte, 1))
    const page = await open()
    const value = page.locator('[data-value=Read]')
    await value.filter({ hasText: /\d/ }).waitFor()
    const drawn = (): Promise<string> => page.evaluate("document.querySelector('[aria-label=Throughput] canvas').toDataURL()")
    const idle = await drawn()
    await using client = await SmbClient.connect({ ...server.smb, ...alice })
    await using share = await client.share('docs')
    let done = false
    const load = (async () => {
      while (!done) await share.readFile('large')
    })()
    await value.filter({ hasText: /MiB\/s|GiB\/s/ }).waitFor()
    await page.locator('[data-value=SMB]').filter({ hasText: /[1-9]/ }).waitFor()
    done = true
    await load
    assert.notEqual(await drawn(), idle)
    await page.context().close()
  })

  test('a file that is open is listed and closed; so is a session', async () => {
    const page = await open()
    const client = await SmbClient.connect({ ...server.smb, ...alice })
    const share = await client.share('docs')
    const file = await share.open('notes.txt', { flags: 'w+' })
    await goTo(page, 'opens')
    await row(page, 'notes.txt')
      .getByRole('button', { name: /^Close/ })
      .click()
    await send(page, {}, 'Close the file')
    await row(page, 'notes.txt').waitFor({ state: 'detached' })
    await assert.rejects(file.write(Buffer.from('x'), 0))

    await goTo(page, 'sessions')
    const address = (await row(page, alice.user).locator('code').textContent()) ?? ''
    await row(page, address)
      .getByRole('button', { name: /^Disconnect/ })
      .click()
    await send(page, {}, 'Disconnect')
    await row(page, address).waitFor({ state: 'detached' })
    // Its client logs in again by itself, from another port.
    await share.readFile('notes.txt')
    await row(page, alice.user).waitFor()
    await client.close()
    await page.context().close()
  })

  test('a lost connection is shown, and taken up again without a reload', async () => {
    await using proxy = await startProxy(server.http)
    const page = await open(admin, { at: proxy.endpoint })
    await goTo(page, 'volumes')
    proxy.cut()
    await page.getByText('The connection to the node is lost').waitFor()
    await isLive(page)
    await pressNew(page)
    await send(page, { Name: 'after-the-cut', Size: '8MiB' }, 'Create volume')
    await row(page, 'after-the-cut').waitFor()
    await goTo(page, 'events')
    const ids = (await page.locator('.event-id').allTextContents()).map(id => Number(id.split('-')[1])).reverse()
    assert.ok(ids.length > 0)
    assert.deepEqual(
      ids,
      ids.map((_, at) => at + 1),
      'each event once, none missing',
    )
    await page.context().close()
  })

  test('whoever may only look sees nothing to change anything with', async () => {
    const page = await open()
    await goTo(page, 'users')
    await page.getByRole('button', { name: 'New user' }).click()
    await page.getByRole('dialog').getByLabel('Role').selectOption('viewer')
    await send(page, { Name: viewer.user, Password: viewer.password }, 'Create user')
    await row(page, viewer.user).waitFor()
    await page.context().close()

    const looking = await open(viewer)
    assert.equal(await looking.getByRole('link', { name: 'Audit' }).count(), 0)
    for (const name of pageNames.filter(one => one !== 'audit')) {
      await goTo(looking, name)
      await looking.getByText('Reading…').first().waitFor({ state: 'detached' })
      const buttons = await looking.locator('main button:not(th button)').allTextContents()
      const changing = buttons.filter(text => /new|create|delete|grow|change|options|snapshot|disconnect|close|lock|cancel/i.test(text))
      assert.deepEqual(
        changing.filter(text => text !== 'Snapshots' && text !== 'Options'),
        [],
        name,
      )
    }
    await looking.context().close()
  })

  test('the keyboard is enough', async () => {
    const page = await open()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.id'), 'main')
    await page.keyboard.press('g')
    await page.keyboard.press('v')
    await row(page, 'disk0').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('no such volume')
    await page.getByText('Nothing here has').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await page.getByRole('dialog').getByText('Filter the list').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const theme = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme')
    const themes = [await theme()]
    for (let press = 0; press < 3; press++) {
      await page.keyboard.press('t')
      themes.push(await theme())
    }
    assert.deepEqual(themes, ['light', 'light', 'dark', 'light'])
    await page.context().close()
  })

  for (const theme of ['light', 'dark'] as const) {
    test(`axe-core finds nothing on any page, ${theme}, wide and narrow; no page is wider than the window`, async () => {
      for (const width of [1440, 360]) {
        const first = await browser.page({ width, theme })
        await first.goto(urlOf(server.http))
        await first.getByLabel('User').waitFor()
        await assertAccessible(first, `login, ${width}`)
        await fillLogin(first, admin)
        await isLive(first)
        for (const name of pageNames) {
          await goTo(first, name)
          await first.getByText('Reading…').first().waitFor({ state: 'detached' })
          await assertAccessible(first, `${name}, ${width}`)
          assert.ok(await first.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${name} is wider than ${width}`)
        }
        await goTo(first, 'volumes')
        await first.getByRole('button', { name: 'New volume' }).click()
        await send(first, { Name: 'Wrong Name' }, 'Create volume')
        await first.locator('.field-error').waitFor()
        await assertAccessible(first, `form, ${width}`)
        await first.context().close()
      }
    })
  }

  test('the page asks nobody but the node, and breaks no policy of its own', async () => {
    const page = await browser.page()
    const asked = new Set<string>()
    page.on('request', request => asked.add(new URL(request.url()).origin))
    const response = await page.goto(urlOf(server.http))
    const policy = response?.headers()['content-security-policy'] ?? ''
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
    await fillLogin(page, admin)
    for (const name of pageNames) await goTo(page, name)
    assert.deepEqual([...asked], [new URL(urlOf(server.http)).origin])
    await page.context().close()
    assert.deepEqual(browser.complaints, [])
  })
})
