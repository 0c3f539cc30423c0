import { writeFileSync } from 'node:fs'
import process from 'node:process'

/**
 * Writes what a lane counted to the file that `LANE_RESULT` names, for `test/run.mjs` to add up:
 * a runner that died before its end writes nothing, and so can't pass for one that found no fault.
 */
export default class LaneReporter {
  /** @param {ReadonlyArray<import('vitest/node').TestModule>} modules */
  onTestRunEnd(modules, errors) {
    const result = { passed: 0, failed: errors.length, skipped: [] }
    for (const module of modules) {
      const cases = [...module.children.allTests()]
      // A file that fails to load has no failed case to be counted.
      if (module.state() === 'failed' && !cases.some((test) => test.result().state === 'failed'))
        result.failed++
      for (const test of cases) {
        const outcome = test.result()
        if (outcome.state === 'passed') result.passed++
        else if (outcome.state === 'failed') result.failed++
        else
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
