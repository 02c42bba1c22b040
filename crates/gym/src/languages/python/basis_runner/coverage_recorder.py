"""Records which functions of the project each test enters, so that later runs can be limited to the tests that matter.

A function is its file and its first line. What is entered while test files are imported is recorded under the empty id: any
test may depend on it. Uses `sys.monitoring` where there is one and a trace function elsewhere, which is
called for functions of Python only and, as it returns nothing, for no line of them. With which arguments the functions are called is
recorded beside it.
"""

import sys
import threading

from basis_runner.call_recorder import CallRecorder

TOOL = 3


class Recorder:
    def __init__(self, root):
        self.root = root + "/"
        self.entered = {}
        self.current = set()
        self.calls = CallRecorder()
        self.monitoring = getattr(sys, "monitoring", None)
        if self.monitoring:
            self.monitoring.use_tool_id(TOOL, "basis")
            self.monitoring.register_callback(TOOL, self.monitoring.events.PY_START, self.on_start)

    def start(self, identity):
        self.current = self.entered.setdefault(identity, set())
        if self.monitoring:
            self.monitoring.restart_events()
            self.monitoring.set_events(TOOL, self.monitoring.events.PY_START)
        else:
            threading.settrace(self.on_call)
            sys.settrace(self.on_call)

    def stop(self):
        if self.monitoring:
            self.monitoring.set_events(TOOL, 0)
        else:
            sys.settrace(None)
            threading.settrace(None)

    def on_start(self, code, _offset):
        self.current.add(code)
        if not self.is_function(code) or not self.calls.wants(code):
            return self.monitoring.DISABLE
        self.calls.note(sys._getframe(1))
        return None

    def on_call(self, frame, _event, _argument):
        code = frame.f_code
        self.current.add(code)
        if self.calls.wants(code) and self.is_function(code):
            self.calls.note(frame)

    def report(self, emit):
        """One event with all functions as file and first line, then one per test with their indices, then one per called function."""
        places = {}
        rows = []
        for identity, codes in self.entered.items():
            touched = {self.place(code) for code in codes if self.is_function(code)}
            rows.append((identity, sorted(places.setdefault(place, len(places)) for place in touched)))
        emit("functions", functions=[list(place) for place in places])
        for identity, indices in rows:
            emit("touched", id=identity, functions=indices)
        for code, calls in self.calls.calls.items():
            if calls and self.place(code) in places:
                emit("calls", function=places[self.place(code)], calls=list(calls))

    def is_function(self, code):
        return code.co_filename.startswith(self.root) and code.co_name != "<module>"

    def place(self, code):
        return code.co_filename[len(self.root):], code.co_firstlineno
