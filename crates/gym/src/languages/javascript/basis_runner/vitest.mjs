// Starts one test file with vitest, with a configuration that is ours and canaries beside its tests. The process that reports runs no
// code of the project: vitest has a process for that.
import { mkdtempSync, writeFileSync } from 'node:fs';

export function vitest({ path, canaries: [passing, failing] }) {
  const folder = mkdtempSync('/tmp/run-');
  const setup = `import { test, expect } from 'vitest';
test('${passing}', () => { expect(1 + 1).toBe(2); });
test('${failing}', () => { expect(1 + 1).toBe(3); });
`;
  writeFileSync(`${folder}/setup.mjs`, setup);
  const options = {
    include: [path.replace(/[[\](){}*?!@+]/g, '\\$&')],
    exclude: [],
    globals: true,
    environment: 'node',
    pool: 'forks',
    watch: false,
    cache: false,
    setupFiles: [`${folder}/setup.mjs`],
    reporters: [new URL('./vitest_reporter.mjs', import.meta.url).pathname],
  };
  const config = { root: process.cwd(), cacheDir: `${folder}/cache`, test: options };
  writeFileSync(`${folder}/vitest.config.mjs`, `export default ${JSON.stringify(config)};\n`);
  return ['/node_modules/vitest/vitest.mjs', 'run', '--config', `${folder}/vitest.config.mjs`, '--root', process.cwd()];
}
