/** `vite build` fills `dist/` with the one page that the node serves; `vite` serves it for development, in front of a node that runs. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

/** A node to develop against: `HOLDFAST=http://127.0.0.1:8080 npm run dev -w @holdfast/console`. */
const node = process.env['HOLDFAST'] ?? 'http://127.0.0.1:8080'
const root = import.meta.dirname

/** Compressed once here, so that the node does not have to: `x.js.br` and `x.js.gz` beside `x.js`. */
const compressed = (): Plugin => ({
  name: 'compressed',
  apply: 'build',
  closeBundle() {
    for (const path of globSync('**/*.{html,js,css,svg}', { cwd: join(root, 'dist') })) {
      const file = join(root, 'dist', path)
      const content = readFileSync(file)
      writeFileSync(`${file}.br`, brotliCompressSync(content))
      writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
    }
  },
})

// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  root,
  plugins: [compressed()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { target: 'es2023', modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  // The node wants what changes something to come from its own page: it has to see the same Host as the browser.
  server: { proxy: { '/v1': { target: node, changeOrigin: false } } },
})
