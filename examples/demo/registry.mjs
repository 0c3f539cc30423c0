import { copy, pull, push } from 'spindle'
import { compare, inFolder, writeOut } from './compare.mjs'

/** The application goes to the registry, once more for nothing, to a mirror, and comes back. */
export async function tell({ app, place, tag, remote, counter, meter, say, timed, assert }) {
  const target = `${place.name}/spindle-hello:${tag}`
  say('registry', `${place.url.href}${place.own ? ' (in this process)' : ''}`)

  const sizes = app.components.flatMap(({ wasmContent, fileTree }) =>
    [wasmContent, ...fileTree.values()].map((content) => content.length ?? content.size),
  )
  const bytes = sizes.reduce((a, b) => a + b, 0)
  const count = sizes.length - app.components.length
  say(
    'application',
    `${app.name}: ${app.components.length} component, ${count} files, ${bytes} bytes`,
  )

  const first = await timed(() => push(app, target, remote))
  const { descriptor } = first.result
  say('pushed', first.result.reference)
  say('', `${meter.take().text}; ${counter.take().text}; ${first.time}`)

  const again = await timed(() => push(app, target, remote))
  const second = meter.take()
  assert(again.result.descriptor.digest === descriptor.digest, 'the same files gave another digest')
  assert(second.sent === 0, `the second push sent ${second.sent} blobs again`)
  say('pushed again', `${second.text}; ${counter.take().text}; ${again.time}`)

  const mirror = `${place.name}/spindle-mirror:${tag}`
  const copied = await timed(() => copy(target, mirror, remote))
  assert(copied.result.digest === descriptor.digest, 'the copy has another digest')
  say('copied', `to ${mirror}`)
  say('', `${meter.take().text}; ${counter.take().text}; ${copied.time}`)

  await inFolder(async (folder) => {
    const by = `${mirror.slice(0, mirror.lastIndexOf(':'))}@${descriptor.digest}`
    const pulled = await timed(async () => await writeOut(await pull(by, remote), folder))
    say('pulled', by)
    say('', `${counter.take().text}; ${pulled.time}`)
    say('compared', await compare(app, folder))
  })
}
