/** The longest of many prefixes that a text begins with: a radix tree, whose nodes have the text that is common to all below. */

interface Node<Value> {
  /** What leads here from the node above. */
  text: string
  value: Value | undefined
  /** By the first character of their text. */
  readonly below: Map<number, Node<Value>>
}

const nodeOf = <Value>(text: string, value?: Value): Node<Value> => ({ text, value, below: new Map() })

/** Values by prefix. */
export class PrefixTree<Value> {
  readonly #root: Node<Value> = nodeOf('')

  /** Puts a value at a prefix, in place of the one there. */
  set(prefix: string, value: Value): void {
    let node = this.#root
    for (let at = 0; ;) {
      if (at === prefix.length) {
        node.value = value
        return
      }
      const next = node.below.get(prefix.charCodeAt(at))
      if (next === undefined) {
        node.below.set(prefix.charCodeAt(at), nodeOf(prefix.slice(at), value))
        return
      }
      const common = commonLength(next.text, prefix, at)
      node = common === next.text.length ? next : split(node, next, common)
      at += common
    }
  }

  /** The value of the longest prefix that `text` from `from` on begins with. */
  find(text: string, from = 0): Value | undefined {
    let node: Node<Value> | undefined = this.#root
    let found = node.value
    for (let at = from; ;) {
      node = at < text.length ? node.below.get(text.charCodeAt(at)) : undefined
      if (node === undefined || !text.startsWith(node.text, at)) return found
      at += node.text.length
      found = node.value ?? found
    }
  }
}

/** How many characters of `text` stand in `prefix` at `at`. */
function commonLength(text: string, prefix: string, at: number): number {
  let length = 0
  while (length < text.length && at + length < prefix.length && text[length] === prefix[at + length]) length++
  return length
}

/** Puts a node between two, so many characters behind the upper one. */
function split<Value>(above: Node<Value>, node: Node<Value>, length: number): Node<Value> {
  const middle = nodeOf<Value>(node.text.slice(0, length))
  above.below.set(node.text.charCodeAt(0), middle)
  node.text = node.text.slice(length)
  middle.below.set(node.text.charCodeAt(0), node)
  return middle
}
