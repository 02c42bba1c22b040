"""What a failing test showed, taken from running frames and syntax trees, never from printed text.

For `assert <call> == <value>`, `assert <call>`, `self.assertEqual(<call>, <value>)` and their relatives: the source of the call with
names replaced by what they stand for, `repr` of what it gave, `repr` of what was wanted. When something was raised instead: its
class and message. Whether the call shows the same outside the test is for the host to find out.
Used when bug records are made, not when submissions are graded.
"""

import ast
import re

LONGEST_VALUE = 300
LONGEST_NAME_VALUE = 80
LEFT, RIGHT = "@basis_left", "@basis_right"
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
SIMPLE = (int, float, complex, str, bytes, bool, type(None))
# Of these types every value is a constant in source, which numbers below zero are not.
CONSTANT = (str, bytes, bool, type(None))
CALLS = (ast.Call, ast.Subscript, ast.BinOp)
BOUND_TO_PLACE = (ast.Await, ast.Yield, ast.NamedExpr, ast.Lambda)


class Observer:
    """Collects symptoms while tests run."""

    def __init__(self):
        self.trees = {}
        self.seen = []
        # What was found out about functions and expressions: those of a test with parameters fail many times.
        self.stored, self.sources = {}, {}

    def compile(self, source, path):
        self.trees[path], code = compile_keeping(source, path)
        return code

    def tree(self, path):
        if path not in self.trees:
            with open(path, "rb") as file:
                self.trees[path] = parse(file.read())
        return self.trees[path]

    def stores(self, function):
        """Where a function gives values to its names, by name."""
        if function not in self.stored:
            found = self.stored[function] = {}
            for part in ast.walk(function):
                if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                    found.setdefault(part.id, []).append(part)
        return self.stored[function]

    def source(self, node):
        if node not in self.sources:
            self.sources[node] = ast.unparse(node)
        return self.sources[node]

    def observe(self, identity, error, is_test_file=None, compared=None):
        """Remembers what one failure showed. `compared`: the two sides of the assertion, where another runner has them."""
        try:
            self.seen.append((identity, Failure(self, error, is_test_file, compared).facts()))
        except Exception:
            self.seen.append((identity, {"exception": exception(error)}))


def parse(source):
    """A test file as a tree; a function of this module, so that what it gives can be remembered."""
    return ast.parse(source)


def compile_keeping(source, path):
    """A test file as a tree, and as code whose assertions keep the values that they compare in their frame."""
    kept = ast.fix_missing_locations(KeepValues().visit(ast.parse(source)))
    return ast.parse(source), compile(kept, path, "exec", dont_inherit=True)


class Failure:
    """One failing test: its frames, the statement of the test that failed and the expressions in it."""

    def __init__(self, observer, error, is_test_file, compared):
        self.observer, self.error = observer, error
        self.frames = list(frames(error.__traceback__))
        is_test_file = is_test_file or observer.trees.__contains__
        places = [at for at, (frame, _) in enumerate(self.frames) if is_test_file(frame.f_code.co_filename)]
        at = places[-1]
        self.frame, line = self.frames[at]
        self.inner = [frame for frame, _ in self.frames[at + 1:]]
        self.function, self.statement = locate(observer.tree(self.frame.f_code.co_filename), line)
        self.is_assertion = isinstance(error, AssertionError) and all(from_unittest(frame) for frame in self.inner)
        self.compared = compared

    def facts(self):
        left, right, wanted = sides(self.statement)
        subject, other, swapped = choose(left, right)
        facts = {"call": None, "actual": None, "expected": None, "exception": None}
        facts["call"] = self.inline(subject)
        if not self.is_assertion:
            facts["exception"] = exception(self.error)
            facts["expected"] = self.known(other) if other is not None else wanted
            return facts
        values = self.values()
        if swapped:
            values = values[::-1]
        facts["actual"] = shown(values[0]) if values else None
        if wanted is not None:
            facts["expected"] = wanted if values and (wanted == "None" or type(values[0]) is bool) else None
        elif other is not None and len(values) == 2 and equality(self.statement):
            facts["expected"] = shown(getattr(values[1], "expected", values[1]))
        if facts["actual"] is None:
            facts["call"], facts["exception"] = None, exception(self.error)
        return facts

    def values(self):
        """The values that the failing assertion looked at, left first."""
        if self.compared is not None:
            return self.compared
        here = self.frame.f_locals
        if not self.inner and LEFT in here:
            return [here[LEFT], here[RIGHT]] if RIGHT in here and compares(self.statement) else [here[LEFT]]
        if not self.inner and isinstance(self.statement, ast.Assert) and not compares(self.statement):
            return pytest_value(here, isinstance(self.statement.test, ast.UnaryOp))
        for frame in self.inner:
            found = frame.f_locals
            for names in (("first", "second"), ("expr1", "expr2"), ("member", "container"), ("expr",), ("obj",)):
                if all(name in found for name in names):
                    return [found[name] for name in names]
        return []

    def inline(self, node):
        """The expression with the test's own names replaced by what they stand for, as source."""
        if node is None:
            return None
        if isinstance(node, ast.Name):
            node = self.assigned(node.id)
        parts = list(ast.walk(node)) if node is not None else []
        if not any(isinstance(part, CALLS) for part in parts) or any(isinstance(part, BOUND_TO_PLACE) for part in parts):
            return None
        try:
            text = ast.unparse(Inline(self).visit(ast.parse(self.observer.source(node), mode="eval")))
        except Unknown:
            return None
        return text if len(text) <= LONGEST_VALUE else None

    def assigned(self, name):
        """The expression of the only assignment to a name in the test function."""
        found = self.observer.stores(self.function).get(name)
        for statement in self.function.body if found else ():
            if isinstance(statement, ast.Assign) and statement.targets == found and statement.lineno < self.statement.lineno:
                return statement.value
        return None

    def known(self, node):
        """`repr` of an expression that needs no evaluation: a literal or a local name with a simple value."""
        if isinstance(node, ast.Name) and node.id in self.frame.f_locals:
            value = self.frame.f_locals[node.id]
            return shown(value) if simple(value) else None
        try:
            return shown(ast.literal_eval(node))
        except (ValueError, TypeError, SyntaxError):
            return None


class Unknown(Exception):
    """A name of the test stands for something that cannot be written down."""


class Inline(ast.NodeTransformer):
    def __init__(self, failure, depth=0):
        self.failure = failure
        self.depth = depth
        self.bound = set()

    def visit_comprehension_owner(self, node):
        own = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        added = own - self.bound
        self.bound |= added
        self.generic_visit(node)
        self.bound -= added
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_owner

    def visit_Call(self, node):
        """Writes `f(*[1, 2])` as `f(1, 2)`."""
        self.generic_visit(node)
        given = []
        for argument in node.args:
            spread = isinstance(argument, ast.Starred) and isinstance(argument.value, (ast.List, ast.Tuple))
            given.extend(argument.value.elts if spread else [argument])
        node.args = given
        return node

    def visit_Name(self, node):
        frame = self.failure.frame
        if node.id in self.bound:
            return node
        if node.id in frame.f_locals and frame.f_locals is not frame.f_globals:
            return self.replacement(node.id, frame.f_locals[node.id])
        if node.id in frame.f_globals:
            value = frame.f_globals[node.id]
            if simple(value):
                return literal(value)
            if getattr(value, "__module__", None) == frame.f_globals.get("__name__"):
                raise Unknown(node.id)
        return node

    def replacement(self, name, value):
        source = self.failure.assigned(name)
        if source is not None and self.depth < 3:
            source = self.failure.observer.source(source)
            return Inline(self.failure, self.depth + 1).visit(ast.parse(source, mode="eval").body)
        if simple(value):
            return literal(value)
        raise Unknown(name)


class KeepValues(ast.NodeTransformer):
    """Turns `assert a == b` into `left = a; right = b; assert left == right`, with names that no program can use."""

    def visit_Assert(self, node):
        holder, test = node, node.test
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            holder, test = test, test.operand
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            kept = [keep(LEFT, test.left), keep(RIGHT, test.comparators[0])]
            test.left, test.comparators = load(LEFT, test), [load(RIGHT, test)]
            return [*kept, node]
        if isinstance(test, ast.BoolOp) or isinstance(test, ast.Compare):
            return node
        kept = keep(LEFT, test)
        if holder is node:
            node.test = load(LEFT, test)
        else:
            holder.operand = load(LEFT, test)
        return [kept, node]


def keep(name, value):
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), value)


def load(name, at):
    return ast.copy_location(ast.Name(name, ast.Load()), at)


def frames(traceback):
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def pytest_value(names, negated):
    """What pytest's rewritten assertion looked at: it numbers its intermediate values, and a negation is one more."""
    kept = sorted((len(name), name) for name in names if name.startswith("@py_assert") and names[name] is not None)
    at = -2 if negated else -1
    return [names[kept[at][1]]] if len(kept) >= -at else []


def from_unittest(frame):
    return frame.f_globals.get("__name__", "").startswith("unittest.")


def locate(tree, line):
    """The innermost function and statement at a line."""
    function = statement = block = tree
    while block is not None:
        # Expressions hold no statements, and files of tests are mostly expressions.
        inner = [node for name in BLOCKS for node in getattr(block, name, ())]
        block = next((node for node in reversed(inner) if first_line(node) <= line <= last_line(node)), None)
        if isinstance(block, ast.stmt):
            statement = block
        if isinstance(block, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = block
    return function, statement


BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")


def first_line(node):
    return getattr(node, "lineno", None) or node.pattern.lineno


def last_line(node):
    return getattr(node, "end_lineno", None) or node.body[-1].end_lineno


def compares(statement):
    test = statement.test if isinstance(statement, ast.Assert) else None
    while isinstance(test, ast.UnaryOp):
        test = test.operand
    return isinstance(test, ast.Compare)


def equality(statement):
    """Whether the statement says that one side equals, or is, the other."""
    if isinstance(statement, ast.Assert):
        return isinstance(statement.test, ast.Compare) and isinstance(statement.test.ops[0], (ast.Eq, ast.Is))
    return method(statement) not in ("assertIn", "assertNotIn", "assertNotEqual", "assertIsNot", "assertIsInstance")


def method(statement):
    """The name of the `self.assert…` method that a statement calls."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert"):
        return call.func.attr
    return ""


def sides(statement):
    """Left and right expression of the assertion, and `repr` of what is wanted when it has only a left one."""
    if isinstance(statement, ast.Assert):
        test, wanted = statement.test, "True"
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, wanted = test.operand, "False" if wanted == "True" else "True"
        if isinstance(test, ast.Compare):
            return (test.left, test.comparators[0], None) if len(test.ops) == 1 else (None, None, None)
        return (None, None, None) if isinstance(test, ast.BoolOp) else (test, None, wanted)
    name = method(statement)
    if name:
        given = [*statement.value.args, None, None]
        single = {"assertTrue": "True", "assertFalse": "False", "assertIsNone": "None"}
        return (given[0], None, single[name]) if name in single else (given[0], given[1], None)
    value = getattr(statement, "value", None)
    return value if isinstance(value, ast.expr) else None, None, None


def choose(left, right):
    """Which side is under test: the one that calls something; the left one if both or neither do."""
    if right is not None and calls(right) and not calls(left):
        return right, left, True
    return left, right, False


def calls(node):
    return any(isinstance(part, ast.Call) for part in ast.walk(node)) if node is not None else False


def simple(value, depth=0):
    """Whether `repr` of a value is source for it, and short."""
    if depth == 0 and len(repr(value)) > LONGEST_NAME_VALUE if type(value) in (*SIMPLE, list, tuple, set, dict) else True:
        return False
    if type(value) in SIMPLE:
        return is_literal(value)
    if type(value) is dict:
        return all(simple(key, 1) and simple(item, 1) for key, item in value.items())
    return type(value) in (list, tuple, set) and bool(value or type(value) is not set) and all(simple(item, 1) for item in value)


def is_literal(value):
    """Whether `repr` of a value of a simple type is source for it: not of infinities and what is no number."""
    return type(value) in SIMPLE and value == value and value not in (float("inf"), float("-inf"))


def literal(value):
    return ast.Constant(value) if type(value) in CONSTANT else ast.parse(repr(value), mode="eval").body


def shown(value):
    """`repr` without memory addresses; nothing when it fails or is too long to be quoted."""
    try:
        text = ADDRESS.sub("", repr(value))
    except BaseException:
        return None
    return text if len(text) <= LONGEST_VALUE else None


def exception(error):
    try:
        text = type(error).__name__ + ": " + str(error)
    except BaseException:
        text = type(error).__name__
    text = ADDRESS.sub("", text.strip().removesuffix(":"))
    text = text.splitlines()[0] if isinstance(error, AssertionError) else text
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE - 3] + "..."
