"""Evaluates calls as a test file would: with the names that the file defines or imports, but outside any test.

Used when bug records are made, to say what a call gives on a tree.
"""

import ast
import posix
import sys

from basis_runner.channel import limit_processor, open_channel, read_instructions
from basis_runner.plain import compile_test, import_file
from basis_runner.symptom import exception, shown


def main():
    instructions = read_instructions()
    emit = open_channel(instructions["nonce"][0])
    limit_processor(instructions)
    sys.path.extend(instructions.get("path", []))
    root, modules = posix.getcwd(), {}
    for index, line in enumerate(instructions.get("call", [])):
        path, _, source = line.partition("\t")
        try:
            if path not in modules:
                modules[path] = import_file(root, path, compile_test)
            value = eval(source, dict(modules[path].__dict__))
            emit("value", index=index, value=quotable(value), exception=None)
        except BaseException as error:
            emit("value", index=index, value=None, exception=exception(error))
    posix._exit(0)


def quotable(value):
    """`repr` of a value if it can stand in source."""
    text = shown(value)
    try:
        ast.parse(text or "?", mode="eval")
    except (SyntaxError, ValueError):
        return None
    return text
