import { createDockerKeychain } from '../../src/node/credentials/docker-keychain.ts'
import type { Credentials } from '../../src/types.ts'
import type { Machine } from './machine.ts'

export const CONFIG = '.docker/config.json'

/** What the machine's Docker knows of a registry. */
export async function ask(
  machine: Machine,
  registry: string,
  repository = 'team/app',
): Promise<Credentials | undefined> {
  return createDockerKeychain(machine.options)({ registry, repository, actions: ['pull'] })
}

/** The error of work that has to reject. */
export async function refusal(work: Promise<unknown>): Promise<Error> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}
