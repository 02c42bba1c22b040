// Starts one test file with jest, with a configuration that is ours and canaries beside its tests. What the project has to say about
// Babel still counts: without it many tests are no code that node understands.
import { mkdtempSync, writeFileSync } from 'node:fs';

export function jest({ path, canaries: [passing, failing] }) {
  const folder = mkdtempSync('/tmp/run-');
  const setup = `test('${passing}', () => { expect(1 + 1).toBe(2); });
test('${failing}', () => { expect(1 + 1).toBe(3); });
`;
  writeFileSync(`${folder}/setup.cjs`, setup);
  const config = {
    rootDir: process.cwd(),
    testEnvironment: 'node',
    setupFilesAfterEnv: [`${folder}/setup.cjs`],
    cacheDirectory: `${folder}/cache`,
    reporters: [new URL('./jest_reporter.mjs', import.meta.url).pathname],
    watchman: false,
  };
  writeFileSync(`${folder}/jest.config.json`, JSON.stringify(config));
  const options = ['--ci', '--config', `${folder}/jest.config.json`, '--runTestsByPath', path];
  return ['/node_modules/jest/bin/jest.js', ...options];
}
