import { createRepository, type Repository } from '../../src/registry/repository.ts'

/** A body that never ends; counts what is taken of it. */
export function endless(): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0
  const body = new ReadableStream<Uint8Array>(
    { pull: (controller) => controller.enqueue(new Uint8Array((taken += 65_536) && 65_536)) },
    { highWaterMark: 0 },
  )
  return { body, taken: () => taken }
}

/** A repository of a registry that answers as told. */
export function openHostile(answer: (request: Request) => Response): Repository {
  return createRepository('registry.test/a', {
    fetch: async (request) => answer(request),
    retry: false,
    credentials: { username: 'u', password: 'p' },
  })
}
