import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Route, routes } from '../api/routes.ts'
import { openApiDocument } from './document.ts'

type Json = { readonly [name: string]: Json } & { readonly [Symbol.iterator]?: never }

const document = JSON.parse(JSON.stringify(openApiDocument('1.2.3'))) as Json
const operations = Object.entries(document['paths'] ?? {}).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation: operation as unknown as Operation })),
)

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: object
}
interface Operation {
  readonly operationId?: string
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly $ref?: string }>>
  readonly requestBody?: { readonly content: object }
}

function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (name === '$ref') yield String(inner)
    else yield* references(inner)
  }
}

describe('/openapi.json', () => {
  test('has every route of the table, with what it takes', () => {
    for (const [id, route] of Object.entries<Route>(routes)) {
      const found = operations.filter(({ operation }) => operation.operationId === id)
      assert.equal(found.length, 1, id)
      const [{ path, method, operation } = assert.fail()] = found
      assert.equal(`${method.toUpperCase()} ${path}`, `${route.method} ${route.path}`)
      assert.equal(operation.requestBody !== undefined, route.body !== undefined, id)
      const parameters = operation.parameters ?? []
      const open = parameters.filter(parameter => parameter.in === 'path').map(({ name }) => `{${name}}`)
      assert.deepEqual(open, route.path.match(/\{\w+\}/g) ?? [])
      assert.equal(
        parameters.some(parameter => parameter.in === 'query'),
        route.query !== undefined,
        id,
      )
    }
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) assert.ok(document['paths']?.[path], path)
  })

  test('is a document of OpenAPI 3.1: what has to be there is, with values that are allowed (4.8)', () => {
    assert.match(JSON.stringify(document['openapi']), /^"3\.1\.\d+"$/)
    assert.deepEqual(document['info']?.['version'], '1.2.3')
    const fields = new Set(['openapi', 'info', 'servers', 'security', 'paths', 'components'])
    assert.deepEqual(
      Object.keys(document).filter(name => !fields.has(name)),
      [],
    )
    const ids = operations.flatMap(({ operation }) => operation.operationId ?? [])
    assert.equal(new Set(ids).size, ids.length)
    for (const { path, method, operation } of operations) {
      assert.match(path, /^\//)
      assert.ok(['get', 'post', 'patch', 'delete'].includes(method))
      assert.ok(Object.keys(operation.responses).length > 0)
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.match(status, /^([1-5]\d\d|default)$/)
        assert.ok(response.$ref !== undefined || typeof response.description === 'string', `${method} ${path} ${status}`)
      }
      const names = (operation.parameters ?? []).map(parameter => `${parameter.in} ${parameter.name}`)
      assert.equal(new Set(names).size, names.length)
      for (const parameter of operation.parameters ?? []) {
        assert.ok(['path', 'query', 'header', 'cookie'].includes(parameter.in))
        assert.equal(typeof parameter.schema, 'object')
        if (parameter.in === 'path') assert.equal(parameter.required, true)
      }
    }
  })

  test('refers to nothing that it does not have, and has no schema by two names', () => {
    const all = [...references(document)]
    assert.ok(all.length > 20)
    for (const reference of all) {
      const found = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<Json | undefined>((value, name) => value?.[name], document)
      assert.equal(typeof found, 'object', reference)
    }
    for (const name of Object.keys(document['components']?.['schemas'] ?? {})) assert.match(name, /^[A-Za-z0-9._-]+$/)
    assert.ok(document['components']?.['schemas']?.['OperationEvent'])
  })
})
