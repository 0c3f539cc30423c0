/** Everything that runs everywhere, in one import. Node's own parts are in `spindle/node`. */
export * from './errors.ts'
export type * from './types.ts'
