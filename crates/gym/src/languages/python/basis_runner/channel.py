"""Talks with the host: instructions come in on standard input, events go out on file descriptor 3.

Only builtin modules are imported, because this runs once per graded test run. The nonce that marks genuine events comes
with the instructions; standard input is emptied and replaced before any code of the project is imported.
"""

import posix
from _json import encode_basestring_ascii as quote


def read_instructions():
    """The instructions on standard input."""
    return parse_instructions(read_input())


def read_input():
    """All of standard input, which is empty from then on."""
    data = bytearray()
    while chunk := posix.read(0, 65536):
        data += chunk
    null = posix.open("/dev/null", posix.O_RDONLY)
    posix.dup2(null, 0)
    posix.close(null)
    return data.decode()


def parse_instructions(text):
    """The lines `key<TAB>value` as a dictionary of lists."""
    instructions = {}
    for line in text.split("\n"):
        key, _, value = line.partition("\t")
        instructions.setdefault(key, []).append(value)
    return instructions


def limit_processor(instructions):
    """Ends this process, and each that it starts, when it has used that many seconds of processor time: a machine that is busy
    slows honest code down, but only code that runs away uses more."""
    for seconds in instructions.get("processor", []):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))


def open_channel(nonce):
    """The function that writes one event, `emit(event, **fields)`."""
    posix.set_inheritable(3, False)
    write, head = posix.write, '{"nonce":' + quote(nonce) + ',"event":'

    def emit(event, **fields):
        line = head + quote(event)
        for key, value in fields.items():
            line += "," + quote(key) + ":" + encode(value)
        data = (line + "}\n").encode()
        while data:
            data = data[write(3, data):]

    return emit


def encode(value):
    """JSON of plain values; exact types only, so that nothing of the project decides what is written."""
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return "%.3f" % value
    if kind is list or kind is tuple:
        return "[" + ",".join(map(encode, value)) + "]"
    if kind is dict:
        return "{" + ",".join(quote(key) + ":" + encode(item) for key, item in value.items()) + "}"
    return "null"
