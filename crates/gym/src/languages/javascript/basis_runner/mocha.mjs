// Starts one test file with mocha.
export function mocha() {
  return [new URL('./mocha_file.mjs', import.meta.url).pathname];
}
