// The test runner switches Node's globals on for itself. What is tested must not find them:
// a Worker without compatibility flags has Web APIs only.
for (const name of ['process', 'Buffer', 'global']) {
  if (name in globalThis && !Reflect.deleteProperty(globalThis, name)) {
    throw new Error(`this Worker still has Node's ${name}, so the lane would prove nothing`)
  }
}
