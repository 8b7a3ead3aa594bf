/** A node's API in memory, for tests of what talks to it. It is no measure of the API: that is the node itself. */
export { startFakeNode, type FakeNode, type FakeNodeOptions } from './fake-node.ts'
