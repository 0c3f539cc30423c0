/** Registries for tests, without a network. Exported as `spindle/mocks`. */
export { registryHandlers, type RegistryHandlersOptions } from './handlers.ts'
