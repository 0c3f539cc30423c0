import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { createFileStorage } from '../../src/node/storage/file-storage.ts'
import { describeBindleInstances } from '../serve/storage/bindle-instances.ts'
import { describeInstances } from '../serve/storage/instances.ts'
import { keepIn } from '../serve/storage/rules.ts'

const folder = mkdtempSync(join(tmpdir(), 'spindle-rules-'))
afterAll(() => rm(folder, { recursive: true, force: true }))
let places = 0
const nextFolder = (): string => join(folder, String(++places))

keepIn(() => createFileStorage(nextFolder()))
const create = async () => {
  const place = nextFolder()
  return { storage: createFileStorage(place), open: () => createFileStorage(place) }
}
describeInstances('file', create)
describeBindleInstances('file', create)
