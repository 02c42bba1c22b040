// Runs one test file with mocha, with no configuration but ours, and turns what mocha says into lines on file descriptor 3. Whatever reporting
// needs is taken before any code of the project is loaded. The canaries are tests of mocha like those of the file.
import { createRequire } from 'node:module';

import { channel, instructions } from './channel.mjs';
import { describe as explained, place, shown } from './values.mjs';

const asked = instructions();
const emit = channel(asked.nonce);
const file = process.cwd() + '/' + asked.path;
const [passing, failing] = asked.canaries;
const Mocha = createRequire('/node_modules/')('mocha');
const { Test } = Mocha;

function titles(runnable) {
  const names = [];
  for (let own = runnable; own && !own.root; own = own.parent) names.unshift(own.title);
  return names.join('::');
}

// A hook that fails takes the tests of its suite along.
function hookFailed(hook, error) {
  const detail = explained(error);
  const suite = titles(hook.parent);
  const test = hook.ctx?.currentTest;
  if (test) emit({ event: 'test', title: titles(test), outcome: 'failed', phase: 'setup', ms: 0, detail });
  if (suite) emit({ event: 'suite', title: suite, detail });
  else emit({ event: 'collect', message: detail });
}

function symptom(error) {
  const position = place(error, file);
  const compares = error?.code === 'ERR_ASSERTION' || error?.name === 'AssertionError';
  if (!compares) return { exception: explained(error), ...position };
  if (['throws', 'doesNotThrow', 'rejects', 'doesNotReject', 'match', 'fail'].includes(error.operator)) return position;
  return { actual: shown(error.actual), expected: shown(error.expected), ...position };
}

class Reporter {
  constructor(runner) {
    runner.on('pass', (test) => emit({ event: 'test', title: titles(test), outcome: 'passed', phase: 'call', ms: test.duration ?? 0, detail: '' }));
    runner.on('pending', (test) => emit({ event: 'test', title: titles(test), outcome: 'skipped', phase: 'call', ms: 0, detail: '' }));
    runner.on('fail', (test, error) => {
      if (test.type === 'hook') return hookFailed(test, error);
      const title = titles(test);
      emit({ event: 'test', title, outcome: 'failed', phase: 'call', ms: test.duration ?? 0, detail: explained(error) });
      if (asked.symptoms) emit({ event: 'symptom', title, ...symptom(error) });
    });
  }
}

function canary(name, sum) {
  return new Test(name, () => {
    if (1 + 1 !== sum) throw new Error('a canary');
  });
}

const mocha = new Mocha({ reporter: Reporter, color: false, fullTrace: true, timeout: 0 });
mocha.suite.addTest(canary(passing, 2));
mocha.suite.addTest(canary(failing, 3));
mocha.addFile(file);
try {
  await mocha.loadFilesAsync();
} catch (error) {
  emit({ event: 'collect', message: explained(error) });
}
const failures = await new Promise((resolve) => mocha.run(resolve));
const { user, system } = process.cpuUsage();
emit({ event: 'done', cpu: (user + system) / 1000 });
process.exit(failures > 0 ? 1 : 0);
