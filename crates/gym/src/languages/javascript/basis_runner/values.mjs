// Values and errors as text. Whatever goes wrong on the way is no text.
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const LONGEST = 300;
const { getPrototypeOf, keys } = Object;

// What `make` gives, or undefined when it raises.
export function lasting(make) {
  try {
    return make();
  } catch {
    return undefined;
  }
}

// Class and message in one line.
export function describe(error) {
  const text = lasting(() => (error instanceof Error ? `${error.name}: ${error.message}` : `threw ${inspect(error)}`));
  const line = (text ?? 'an error that cannot be shown').replace(/\s+/g, ' ').replace(/:? $/, '');
  return line.length <= LONGEST ? line : line.slice(0, LONGEST - 3) + '...';
}

// The innermost line of an error's stack that is in a file.
export function place(error, file) {
  for (const line of String(error?.stack ?? '').split('\n')) {
    const found = /(?:\(|at |async )(file:\/\/[^)]*?|\/[^)]*?):(\d+):(\d+)\)?$/.exec(line);
    if (found && lasting(() => (found[1].startsWith('file:') ? fileURLToPath(found[1]) : found[1])) === file) {
      return { line: Number(found[2]), column: Number(found[3]) };
    }
  }
  return {};
}

// A value as source, if it is made of plain data.
export function shown(value) {
  return lasting(() => {
    if (!isPlain(value, 6)) return null;
    const text = inspect(value, { depth: 6, breakLength: Infinity, maxArrayLength: 100, maxStringLength: LONGEST });
    return text.length <= LONGEST ? text : null;
  });
}

function isPlain(value, depth) {
  if (value === null || !['object', 'function', 'symbol'].includes(typeof value)) return true;
  if (depth === 0 || typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth - 1));
  const prototype = getPrototypeOf(value);
  return (prototype === null || getPrototypeOf(prototype) === null) && keys(value).every((key) => isPlain(value[key], depth - 1));
}
