// The reporter of jest: when everything has run, turns what jest found out about one test file into lines on file descriptor 3.
import { channel, instructions } from './channel.mjs';
import { describe, place } from './values.mjs';

const asked = instructions();
const emit = channel(asked.nonce);
const file = process.cwd() + '/' + asked.path;
// How jest calls what becomes of a test; everything else is the worst.
const OUTCOMES = { passed: 'passed', failed: 'failed', pending: 'skipped', skipped: 'skipped', todo: 'skipped', disabled: 'skipped' };

export default class Reporter {
  onRunComplete(_, { testResults }) {
    for (const own of testResults.filter(({ testFilePath }) => testFilePath === file)) {
      own.testResults.forEach(tell);
      const error = own.testExecError;
      if (error) emit({ event: 'collect', message: describe(Object.assign(new Error(error.message), { name: error.type ?? 'Error' })) });
    }
    const { user, system } = process.cpuUsage();
    emit({ event: 'done', cpu: (user + system) / 1000 });
  }
}

function tell({ ancestorTitles, title: own, status, duration, failing, failureMessages, failureDetails }) {
  const title = [...ancestorTitles, own].join('::');
  const failure = failureDetails?.[0];
  const stack = failureMessages?.[0] ?? '';
  const [head] = stack.split('\n    at ');
  const [name, ...message] = head.split(': ');
  const error = Object.assign(new Error(message.join(': ')), { name, stack });
  const detail = status === 'failed' ? describe(error) : '';
  const outcome = failing && status === 'passed' ? 'xfail' : (OUTCOMES[status] ?? 'missing');
  emit({ event: 'test', title, outcome, phase: 'call', ms: duration ?? 0, detail });
  if (asked.symptoms && status === 'failed') {
    // Compared values arrive as text that is no source; the host evaluates the call instead.
    const exception = failure?.matcherResult ? undefined : detail;
    emit({ event: 'symptom', title, exception, ...place(error, file) });
  }
}
