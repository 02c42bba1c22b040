// Evaluates calls as a test file would: with the names that the file defines or imports, but outside any test. Used when bug records
// are made, to say what a call gives on a tree.
import { rmSync, writeFileSync } from 'node:fs';
import { extname, join, dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

import { channel, instructions } from './channel.mjs';
import { describe, shown } from './values.mjs';

const SECONDS = 5;
const HANDOVER = Symbol.for('basis.evaluate');
const asked = instructions();
const emit = channel(asked.nonce);
const evaluators = new Map();

// A function that evaluates source with the names of a test file.
async function evaluator(path) {
  if (!evaluators.has(path)) {
    const place = join(dirname(path), `.${asked.nonce}${extname(path)}`);
    const last = `\nglobalThis[Symbol.for('basis.evaluate')]((source) => eval(source));\n`;
    writeFileSync(place, asked.names[path] + last);
    let evaluate;
    globalThis[HANDOVER] = (given) => (evaluate = given);
    try {
      await import(pathToFileURL(place).href);
    } finally {
      rmSync(place);
    }
    evaluators.set(path, evaluate);
  }
  return evaluators.get(path);
}

function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error('takes too long')), SECONDS * 1000));
}

process.on('uncaughtException', () => {});
process.on('unhandledRejection', () => {});
for (const [index, [path, source]] of asked.calls.entries()) {
  try {
    const evaluate = await evaluator(path);
    const value = await Promise.race([evaluate(`(async () => (${source}\n))()`), late()]);
    emit({ event: 'value', index, value: shown(value), exception: null });
  } catch (error) {
    emit({ event: 'value', index, value: null, exception: describe(error) });
  }
}
process.exit(0);
