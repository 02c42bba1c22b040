// The reporter of node:test: turns the events of one test file into lines on file descriptor 3. What it yields to node:test is nothing.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { channel } from './channel.mjs';
import { describe, lasting, place, shown } from './values.mjs';

const HANDOVER = Symbol.for('basis.handover');
const { asked, session, resolve } = globalThis[HANDOVER];
delete globalThis[HANDOVER];
const root = process.cwd();
const emit = channel(asked.nonce);

resolve((error) => emit({ event: 'collect', message: describe(error) }));

export default async function* report(source) {
  const names = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      names.length = data.nesting;
      names[data.nesting] = data.name;
    } else if (type === 'test:pass' || type === 'test:fail') {
      names[data.nesting] = data.name;
      finished(names.slice(0, data.nesting + 1).join('::'), type === 'test:pass', data);
    }
  }
  if (session) covered();
  const { user, system } = process.cpuUsage();
  emit({ event: 'done', cpu: (user + system) / 1000 });
}

function finished(title, passed, data) {
  const error = data.details?.error;
  const failure = error?.failureType;
  if (data.details?.type === 'suite') {
    if (!passed && failure !== 'subtestsFailed') emit({ event: 'suite', title, detail: explain(error) });
    return;
  }
  const detail = passed ? '' : explain(error);
  const phase = failure === 'hookFailed' || failure === 'cancelledByParent' ? 'setup' : 'call';
  emit({ event: 'test', title, outcome: outcome(passed, data), phase, ms: data.details?.duration_ms ?? 0, detail });
  if (asked.symptoms && !passed && phase === 'call') emit({ event: 'symptom', title, ...symptom(cause(error)) });
}

function outcome(passed, data) {
  if (data.skip !== undefined && data.skip !== false) return 'skipped';
  if (data.todo !== undefined && data.todo !== false) return passed ? 'xpass' : 'xfail';
  if (data.expectFailure !== undefined && data.expectFailure !== false) return passed ? 'xfail' : 'failed';
  return passed ? 'passed' : 'failed';
}

function cause(error) {
  return error?.code === 'ERR_TEST_FAILURE' && error.cause !== undefined ? error.cause : error;
}

function explain(error) {
  return describe(cause(error));
}

// What a failed assertion compared, or what was raised; and where in the test file that was.
function symptom(error) {
  const position = place(error, root + '/' + asked.path);
  if (error?.code !== 'ERR_ASSERTION') return { exception: describe(error), ...position };
  if (['throws', 'doesNotThrow', 'rejects', 'doesNotReject', 'match', 'fail'].includes(error.operator)) return position;
  return { actual: shown(error.actual), expected: shown(error.expected), ...position };
}

// First lines of the functions of the project that were entered.
function covered() {
  session.post('Profiler.takePreciseCoverage', (error, answer) => {
    for (const { url, functions } of error ? [] : answer.result) {
      const path = lasting(() => fileURLToPath(url));
      if (!path?.startsWith(root + '/') || path.includes('/node_modules/')) continue;
      const text = readFileSync(path, 'utf8');
      const entered = functions.filter(({ ranges }) => ranges[0].count > 0 && !(ranges[0].startOffset === 0 && ranges[0].endOffset === text.length));
      const lines = entered.map(({ ranges }) => text.slice(0, ranges[0].startOffset).split('\n').length);
      emit({ event: 'covered', path: path.slice(root.length + 1), lines: [...new Set(lines)] });
    }
  });
}
