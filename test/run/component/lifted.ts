/** Exports `name` of a core module that has `body`, lifted with the type. */
export const lifted = (name: string, core: string, type: string, options = ''): string => `
  (alias core export $m "${core}" (core func $${core}))
  (func (export "${name}") ${type} (canon lift (core func $${core}) ${options}))`
