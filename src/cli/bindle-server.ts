#!/usr/bin/env node
import process from 'node:process'
import { runProcess } from './run-process.ts'

// The name and flags of the reference server's program, for whoever follows its documents.
await runProcess(['bindle-server', ...process.argv.slice(2)])
