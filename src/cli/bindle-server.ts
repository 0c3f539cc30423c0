#!/usr/bin/env node
import process from 'node:process'
import { runProcess } from './run-process.ts'

// The name and flags of Bindle's own server, so that its documentation applies.
await runProcess(['bindle-server', ...process.argv.slice(2)])
