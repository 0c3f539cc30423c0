import { quotePath } from '../../../bytes/path.ts'
import { SpindleError, AppInvalid } from '../../../errors.ts'
import { parseTemplate, resolveTemplate } from '../../../spin/manifest/template.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import type { RunApp, RunComponent } from '../../app/run-app.ts'
import { err, ok, type Result } from '../wasi/result.ts'

/** Variable names that manifests allow. For other names, a guest gets an error without the reason. */
const VARIABLE = /^[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*$/

/** Values of the application's variables. Never printed: some are secrets. */
export interface Variables {
  /** Resolves a template; throws `ERR_APP_INVALID`, with the variable's name at most. */
  resolve(template: string): string
}

// Characters of a resolved value: a template can repeat a variable.
const MAX_RESOLVED = 1024 * 1024

/** Given values override defaults. Throws `ERR_APP_INVALID` when a required variable has no value. */
export function createVariables(app: RunApp, given: Readonly<Record<string, string>>): Variables {
  const values = new Map<string, string>()
  for (const [name, { default: fallback }] of app.variables) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback
    if (value === undefined) {
      // Names come from artifacts: an invalid one must not appear in a suggested command line.
      const flag = VARIABLE.test(name) ? `--variable ${name}=…` : '--variable'
      throw new AppInvalid([
        {
          code: 'variable',
          message: `the application requires the variable ${quotePath(name)}: give it in the option "variables", at a shell with ${flag}`,
        },
      ])
    }
    values.set(name, value)
  }
  return {
    resolve(template) {
      const parsed = parseTemplate(template)
      if ('problem' in parsed) throw new AppInvalid([{ code: 'variable', message: parsed.problem }])
      let missing = ''
      let length = 0
      const text = resolveTemplate(parsed.parts, (name) => {
        const value = values.get(name)
        // Checked before the string is built: a template can repeat a long value.
        length += value?.length ?? 0
        if (length > MAX_RESOLVED) return ''
        if (value === undefined) missing = name
        return value
      })
      if (text === undefined)
        throw new AppInvalid([
          { code: 'variable', message: `no variable "${missing}" is declared in [variables]` },
        ])
      if (length > MAX_RESOLVED)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `a value has more than ${MAX_RESOLVED} characters with its variables put in`,
        )
      return text
    },
  }
}

/** Variables by their names in the component; only those that its own table lists. */
export function createVariableHosts(
  component: RunComponent,
  variables: Variables,
): Readonly<Record<string, HostInterface>> {
  const get = (name: string): Result<string, { tag: string; val: string }> => {
    if (!VARIABLE.test(name)) return err({ tag: 'invalid-name', val: name })
    if (!Object.hasOwn(component.config, name)) return err({ tag: 'undefined', val: name })
    try {
      return ok(variables.resolve(component.config[name] as string)) as Result<string, never>
    } catch (error) {
      return err({ tag: 'provider', val: (error as Error).message })
    }
  }
  const spin: HostInterface = { functions: { get } }
  return {
    'fermyon:spin/variables@2.0.0': spin,
    'spin:variables/variables@3.0.0': spin,
    'fermyon:spin/config': {
      functions: {
        'get-config': (name: string) => {
          const result = get(name)
          if (result.tag === 'ok') return result
          // The mapping by which Spin translates newer errors for older components.
          const known = { 'invalid-name': 'invalid-key', undefined: 'provider' }[
            result.val?.tag ?? ''
          ]
          return err({ tag: known ?? 'other', val: result.val?.val })
        },
      },
    },
    'wasi:config/store@0.2.0-draft-2024-09-27': {
      functions: {
        get: (name: string) => {
          const result = get(name)
          if (result.tag === 'ok') return result
          return result.val?.tag === 'provider'
            ? err({ tag: 'upstream', val: result.val.val })
            : ok(undefined)
        },
        'get-all': () => {
          const all: Array<readonly [string, string]> = []
          for (const name of Object.keys(component.config)) {
            const result = get(name)
            if (result.tag === 'err') return err({ tag: 'upstream', val: result.val?.val })
            all.push([name, result.val as string])
          }
          return ok(all)
        },
      },
    },
  }
}
