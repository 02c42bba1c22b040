"""Records with which arguments tests call the functions of a project, where those can be written down as source.

Only functions and classes that stand under their own name at the top level of a module, so that the call can be repeated anywhere. A
method is called on a new object, made as its own object was made. What is recorded is a proposal: whoever uses a call evaluates it first.
"""

import builtins
import weakref
from types import BuiltinFunctionType, FunctionType

from basis_runner.symptom import is_literal

MOST_CALLS = 24
# After so many calls of a function it is not looked at any more: all that follows has its price.
MOST_LOOKS = 400
LONGEST_CALL = 120
DEEPEST = 4
TAKES_REST, TAKES_NAMED, IS_GENERATOR = 0x04, 0x08, 0x20
ITERATORS = tuple(type(iter(sequence)) for sequence in ([], (), "", "é", range(0)))


class Unwritable(Exception):
    """There is no short source for a value."""


class CallRecorder:
    def __init__(self):
        self.looks = {}
        self.functions = {}
        self.calls = {}
        self.made = {}

    def wants(self, code):
        """Whether calls of this code are still of interest."""
        return self.looks.get(code, 0) < MOST_LOOKS

    def note(self, frame):
        """Remembers the call that a frame begins with."""
        code = frame.f_code
        self.looks[code] = self.looks.get(code, 0) + 1
        if code not in self.functions:
            self.functions[code] = function_of(frame), method_of(frame)
        (function, method), known = self.functions[code], self.calls.setdefault(code, {})
        if function is method is None or len(known) == MOST_CALLS:
            self.looks[code] = MOST_LOOKS
            return
        try:
            text = call(function.__name__, function, frame.f_locals) if function else self.on_new(method, frame)
            known[text] = True
        except (Unwritable, KeyError):
            pass

    def on_new(self, method, frame):
        """The call of a method on an object that is made as the one in the frame was."""
        names = frame.f_locals
        own = names[method.__code__.co_varnames[0]]
        kind = type(own)
        is_part_of_another = method.__name__ == "__init__" and kind.__init__ is not method
        if frame.f_globals.get(kind.__name__) is not kind or is_part_of_another:
            raise Unwritable(kind)
        if kind.__init__ is method:
            text = call(kind.__name__, method, names, 1)
            self.made[id(own)] = reference(own), text
            return text
        text = kind.__name__ + "()"
        if kind.__init__ is not object.__init__:
            known, text = self.made.get(id(own), (None, None))
            # Another object may have had the same address.
            if known is None or known() is not own:
                raise Unwritable(kind)
        return call(text + "." + method.__name__, method, names, 1)


def reference(value):
    try:
        return weakref.ref(value)
    except TypeError:
        return None


def function_of(frame):
    """The function that a frame belongs to, if the name of its code stands for it."""
    code = frame.f_code
    function = frame.f_globals.get(code.co_name)
    is_it = type(function) is FunctionType and function.__code__ is code
    return function if is_it and not code.co_name.startswith("test") else None


def method_of(frame):
    """The function that a frame belongs to, if it is a method of its first argument."""
    code = frame.f_code
    own = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if code.co_name.startswith("test"):
        return None
    bases = type(own).__mro__
    # Without looking the attribute up: that could run code of the project.
    function = next((vars(base)[code.co_name] for base in bases if code.co_name in vars(base)), None)
    return function if type(function) is FunctionType and function.__code__ is code else None


def call(name, function, names, bound=0):
    """The call as source. Defaults are left out, and what a generator gives is put into a list. So many arguments are bound already."""
    code = function.__code__
    count, more = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    given = [source(names[name]) for name in code.co_varnames[bound:count]]
    rest = names[code.co_varnames[more]] if code.co_flags & TAKES_REST else ()
    defaults = list(function.__defaults__ or ())
    while not rest and defaults and len(given) > 0 and is_default(given[-1], defaults.pop()):
        given.pop()
    given.extend(source(value) for value in rest)
    named = {name: names[name] for name in code.co_varnames[count:more]}
    known = function.__kwdefaults__ or {}
    named = {name: value for name, value in named.items() if not (name in known and is_default(source(value), known[name]))}
    if code.co_flags & TAKES_NAMED:
        named.update(names[code.co_varnames[more + bool(code.co_flags & TAKES_REST)]])
    given.extend(name + "=" + source(value) for name, value in named.items())
    text = name + "(" + ", ".join(given) + ")"
    text = "list(" + text + ")" if code.co_flags & IS_GENERATOR else text
    if len(text) > LONGEST_CALL:
        raise Unwritable(text)
    return text


def is_default(text, value):
    try:
        return text == source(value)
    except Unwritable:
        return False


def source(value, depth=0):
    """Source of a value. Sets are left out: in which order they are written differs from run to run."""
    kind = type(value)
    if depth > DEEPEST:
        raise Unwritable(kind)
    if is_literal(value):
        text = repr(value)
    elif kind is list:
        text = "[" + ", ".join(each(value, depth)) + "]"
    elif kind is tuple:
        text = "(" + ", ".join(each(value, depth)) + ("," if len(value) == 1 else "") + ")"
    elif kind is dict:
        text = "{" + ", ".join(map(": ".join, zip(each(value, depth), each(value.values(), depth)))) + "}"
    elif kind is range:
        text = repr(value)
    elif kind in ITERATORS:
        text = "iter(" + source(rest_of(value), depth + 1) + ")"
    elif kind in (type, BuiltinFunctionType) and getattr(builtins, value.__name__, None) is value:
        text = value.__name__
    else:
        raise Unwritable(kind)
    if len(text) > LONGEST_CALL:
        raise Unwritable(kind)
    return text


def rest_of(iterator):
    """What an iterator of a sequence has still to give, without taking it."""
    _, arguments, *position = iterator.__reduce__()
    return arguments[0][position[0]:] if position and arguments else next(iter(arguments), ())


def each(values, depth):
    if len(values) > LONGEST_CALL:
        raise Unwritable(len(values))
    return [source(value, depth + 1) for value in values]
