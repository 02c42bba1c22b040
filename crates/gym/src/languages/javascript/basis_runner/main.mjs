// Runs test files one after the other, each in a process of its own, and tells the host on file descriptor 3 when each began and how
// it ended. No code of the project runs in this process. Every test file gets a key of its own, so that code that finds it out
// can speak for no other file and not after its own end.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

import { channel, instructions } from './channel.mjs';
import { jest } from './jest.mjs';
import { mocha } from './mocha.mjs';
import { nodetest } from './node_test.mjs';
import { vitest } from './vitest.mjs';

// What each runner is started with for one test file.
const RUNNERS = { jest, mocha, nodetest, vitest };
const asked = instructions();
const emit = channel(asked.nonce);

function run(path, key) {
  const options = RUNNERS[asked.runner]({ path, canaries: asked.canaries });
  // What runs away is ended by its processor time: wall time also passes on a busy machine.
  const limit = asked.processor ? `ulimit -S -t ${asked.processor} && ulimit -H -t ${asked.processor + 1} && ` : '';
  const command = ['-c', `${limit}exec "$0" "$@"`, process.execPath, ...options];
  const child = spawn('/bin/sh', command, { stdio: ['pipe', 'ignore', 'ignore', 3] });
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify({ ...asked, nonce: key, path }));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ status: null, signal: String(error) }));
    child.on('exit', (status, signal) => resolve({ status, signal }));
  });
}

emit({ event: 'begin' });
for (const path of asked.files) {
  const key = randomBytes(16).toString('hex');
  emit({ event: 'file', path, key });
  emit({ event: 'exit', ...(await run(path, key)) });
}
emit({ event: 'end' });
