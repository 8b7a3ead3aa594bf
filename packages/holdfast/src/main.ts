#!/usr/bin/env node
/** The program `holdfast`: what has to be done before its sources are loaded. */

import { useCompileCache } from './compile-cache.ts'

useCompileCache()
await import('./program.ts')
