import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { expect, it, onTestFinished, vi } from 'vitest'
import { watchFolder } from '../../src/cli/up/watch-folder.ts'
import { createMachine } from '../node/machine.ts'

it('does not see what is in its own folders, and sees the rest', async () => {
  const { home, path } = createMachine()
  mkdirSync(path('state/kept'), { recursive: true })
  const watch = (own: readonly string[]): ReturnType<typeof vi.fn> => {
    const onChange = vi.fn<() => void>()
    const watcher = watchFolder(home, own, onChange, (error) => {
      throw error
    })
    onTestFinished(() => watcher.close())
    return onChange
  }
  const some = watch([path('state')])
  const all = watch([])
  writeFileSync(path('state/kept/value'), 'x')
  await vi.waitFor(() => expect(all).toHaveBeenCalled(), 10_000)
  expect(some).not.toHaveBeenCalled()
  writeFileSync(path('statement'), 'x')
  await vi.waitFor(() => expect(some).toHaveBeenCalled(), 10_000)
}, 20_000)

it('sees what is written to a file after that was replaced', async () => {
  const { home, path } = createMachine()
  writeFileSync(path('manifest'), 'one')
  const onChange = vi.fn<() => void>()
  const watcher = watchFolder(home, [], onChange, (error) => {
    throw error
  })
  onTestFinished(() => watcher.close())
  // As editors save, and `sed -i`.
  writeFileSync(path('beside'), 'two')
  renameSync(path('beside'), path('manifest'))
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 10_000)
  appendFileSync(path('manifest'), 'three')
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(2), 10_000)
}, 30_000)
