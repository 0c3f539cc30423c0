/** Put in by the build: all of `createWorkerApp` as one module, without imports. */
declare const SPINDLE_WORKER_SCRIPT: string

/** What runs in a Worker that consists of an application only. */
export function workerScript(): string {
  return SPINDLE_WORKER_SCRIPT
}
