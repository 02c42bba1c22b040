// Starts one test file of node:test.
export function nodetest() {
  const reporter = new URL('./reporter.mjs', import.meta.url).href;
  return ['--test-reporter', reporter, '--test-reporter-destination', 'stdout', new URL('./file.mjs', import.meta.url).pathname];
}
