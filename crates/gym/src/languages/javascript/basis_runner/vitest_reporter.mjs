// The reporter of vitest: when everything has run, turns what vitest found out about one test file into lines on file descriptor 3.
import { channel, instructions } from './channel.mjs';
import { describe, place } from './values.mjs';

const asked = instructions();
const emit = channel(asked.nonce);
const file = process.cwd() + '/' + asked.path;

export default class Reporter {
  #told = false;

  onFinished(files) {
    this.#tell(files ?? []);
  }

  onTestRunEnd(modules) {
    this.#tell(modules.map((module) => module.task));
  }

  #tell(files) {
    if (this.#told) return;
    this.#told = true;
    for (const own of files.filter(({ filepath }) => filepath === file)) {
      tell(own, []);
      const errors = own.result?.errors ?? [];
      if (errors.length > 0) emit({ event: 'collect', message: describe(raised(errors[0])) });
    }
    const { user, system } = process.cpuUsage();
    emit({ event: 'done', cpu: (user + system) / 1000 });
  }
}

function tell(suite, names) {
  for (const task of suite.tasks ?? []) {
    const title = [...names, task.name].join('::');
    const errors = task.result?.errors ?? [];
    const detail = errors.length > 0 ? describe(raised(errors[0])) : '';
    if (task.type === 'suite') {
      tell(task, [...names, task.name]);
      if (errors.length > 0) emit({ event: 'suite', title, detail });
      continue;
    }
    const ms = task.result?.duration ?? 0;
    emit({ event: 'test', title, outcome: outcome(task), phase: 'call', ms, detail });
    if (asked.symptoms && task.result?.state === 'fail' && errors.length > 0) emit({ event: 'symptom', title, ...symptom(errors[0]) });
  }
}

function outcome(task) {
  const { state } = task.result ?? {};
  if (task.mode !== 'run' || state === 'skip' || state === 'todo') return 'skipped';
  if (task.fails) return state === 'pass' ? 'xfail' : 'failed';
  return state === 'pass' ? 'passed' : state === 'fail' ? 'failed' : 'missing';
}

// vitest sends errors from one process to the other as plain data.
function raised({ name, message, stack }) {
  return Object.assign(new Error(message), { name, stack });
}

// Compared values arrive as text that is no source; the host evaluates the call instead.
function symptom(error) {
  const compared = 'actual' in error || 'expected' in error || error.name === 'AssertionError';
  return { exception: compared ? undefined : describe(raised(error)), ...place(error, file) };
}
