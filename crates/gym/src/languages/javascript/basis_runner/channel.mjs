// Talks with the host: instructions come in on standard input, events go out on file descriptor 3. What this needs is taken before any
// code of the project is loaded, and nothing that code can replace is given the nonce: no prototype, no method of a buffer.
import fs from 'node:fs';

// Named imports would follow when code replaces them.
const { readFileSync, writeSync } = fs;
const { byteLength } = Buffer;
const { parse, stringify } = JSON;

// All of standard input, which is empty from then on.
export function instructions() {
  return parse(readFileSync(0, 'utf8'));
}

// The function that writes one event with the nonce or key that makes it genuine.
export function channel(nonce) {
  return (event) => {
    const line = stringify({ __proto__: null, nonce, ...event }) + '\n';
    if (writeSync(3, line) !== byteLength(line)) throw new Error('the report cannot be written');
  };
}
