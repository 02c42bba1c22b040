// Runs one test file with node:test. Whatever reporting needs is taken before any code of the project is loaded.
import inspector from 'node:inspector';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { instructions } from './channel.mjs';

const require = createRequire(import.meta.url);
const asked = instructions();
const session = asked.coverage ? new inspector.Session() : undefined;
const [passing, failing] = asked.canaries;
const HANDOVER = Symbol.for('basis.handover');

// The canaries go through what the test file goes through: node:test and node:assert as they are at that time.
function canary(name, sum) {
  const { test } = require('node:test');
  const assert = require('node:assert');
  test(name, () => assert.strictEqual(1 + 1, sum));
}

session?.connect();
session?.post('Profiler.enable');
session?.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
const reporting = new Promise((resolve) => {
  globalThis[HANDOVER] = { asked, session, resolve };
});
canary(passing, 2);
const collectFailed = await reporting;
try {
  await import(pathToFileURL(asked.path).href);
} catch (error) {
  collectFailed(error);
}
canary(failing, 3);
