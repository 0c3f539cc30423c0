import type { PulledApp } from 'spindle/app'
import { SpindleError } from 'spindle/errors'
import type { AppImage } from './guest-messages.ts'

/** The application again, out of what was handed over. It reads nothing from anywhere else. */
export function appOf({ descriptor, locked, contents }: AppImage): PulledApp {
  const find = (digest: string | undefined): Uint8Array => {
    const bytes = digest === undefined ? undefined : contents.get(digest)
    if (bytes === undefined)
      throw new SpindleError('ERR_NOT_FOUND', `${digest ?? 'it'} was not handed over`)
    return bytes
  }
  const component = (id: string) => locked.components.find((component) => component.id === id)
  return {
    descriptor,
    locked,
    component: async (id: string) => find(component(id)?.source.digest),
    dependency: async (id: string, name: string) =>
      find(component(id)?.dependencies?.[name]?.source.digest),
    files: async (id: string) =>
      new Map(component(id)?.files?.map(({ path, digest }) => [path, find(digest)])),
  } as Partial<PulledApp> as PulledApp
}
