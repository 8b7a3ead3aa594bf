/** `digest-server.ts SOCKET`: answers each request with the SHA-256 of its content and how many bytes it had; `/upload/chunks` in two chunks, and so does `/upload/later`, all of it after a while. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const pauseMs = 400

const server = createServer((request, response) => {
  const hash = createHash('sha256')
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    bytes += chunk.length
  })
  request.on('end', () => {
    const text = `${hash.digest('hex')} ${bytes}\n`
    const answer = (): void => {
      response.write(text.slice(0, 20))
      setTimeout(() => response.end(text.slice(20)), pauseMs)
    }
    if (request.url === '/upload/later') setTimeout(answer, pauseMs)
    else if (request.url === '/upload/chunks') answer()
    else response.end(text)
  })
  request.on('error', () => response.destroy())
})
server.listen(process.argv[2], () => console.log('up'))
