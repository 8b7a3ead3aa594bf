export * from './filesystem.ts'
