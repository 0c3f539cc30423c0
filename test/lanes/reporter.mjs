import { writeFileSync } from 'node:fs'
import process from 'node:process'

/**
 * Writes what a lane counted to the file that `LANE_RESULT` names, for `test/run.mjs` to add up:
 * a runner that died before its end writes nothing, and so can't pass for one that found no fault.
 */
export default class LaneReporter {
  /** @param {ReadonlyArray<import('vitest/node').TestModule>} modules */
  onTestRunEnd(modules, errors) {
    const result = {
      passed: 0,
      failed: errors.length,
      skipped: [],
      failures: [],
      unsteady: [],
      files: [],
    }
    for (const error of errors)
      result.failures.push({ name: 'outside of any test', why: said(error) })
    for (const module of modules) {
      const cases = [...module.children.allTests()]
      const { collectDuration, setupDuration, duration } = module.diagnostic()
      result.files.push({
        file: module.relativeModuleId,
        loading: collectDuration + setupDuration,
        tests: duration,
      })
      // A file that fails to load has no failed case to be counted.
      if (module.state() === 'failed' && !cases.some((test) => test.result().state === 'failed')) {
        result.failed++
        const [error] = module.errors()
        result.failures.push({ file: module.relativeModuleId, name: 'the file', why: said(error) })
      }
      for (const test of cases) {
        const outcome = test.result()
        if (outcome.state === 'passed') {
          result.passed++
          // Its first go failed, and the second, which only CI gives it, did not.
          if (test.diagnostic()?.flaky) result.unsteady.push(fault(module, test))
        } else if (outcome.state === 'failed') {
          result.failed++
          result.failures.push(fault(module, test))
        } else
          result.skipped.push({
            file: module.relativeModuleId,
            name: test.fullName,
            why: outcome.note,
          })
      }
    }
    const path = process.env.LANE_RESULT
    if (path !== undefined) writeFileSync(path, JSON.stringify(result))
  }
}

const fault = (module, test) => ({
  file: module.relativeModuleId,
  name: test.fullName,
  why: said(test.result().errors?.[0]),
})

const said = (error) => (error?.message ?? String(error)).split('\n', 3).join(' ').slice(0, 300)
