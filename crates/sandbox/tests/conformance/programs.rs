//! What ordinary programs need of the kernel is there, whatever else is closed.

use basis_sandbox::Backend;

use crate::fixture::{empty, run, text};

/// One line for each thing that works.
const PYTHON: &str = r#"
import asyncio, ctypes, fcntl, mmap, multiprocessing, os, resource, select, signal, socket, sqlite3, subprocess, sys, tempfile, threading, time
def works(name, call):
    try:
        print(name, "ok" if call() in (None, True) else "wrong")
    except BaseException as error:
        print(name, repr(error))
def threads():
    seen = []
    all = [threading.Thread(target=seen.append, args=(i,)) for i in range(8)]
    [t.start() for t in all]; [t.join() for t in all]
    return sorted(seen) == list(range(8))
def pool(method):
    with multiprocessing.get_context(method).Pool(2) as p:
        return p.map(abs, [-1, -2, 3]) == [1, 2, 3]
async def echo():
    async def serve(reader, writer):
        writer.write(await reader.readline()); writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hi\n")
    return await reader.readline() == b"hi\n"
def alarm():
    hit = []
    signal.signal(signal.SIGALRM, lambda *_: hit.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.1)
    return hit == [1]
def lock():
    with tempfile.TemporaryFile() as f: fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX)
def database():
    c = sqlite3.connect("data.db"); c.execute("pragma journal_mode=wal"); c.execute("create table t(x)"); c.commit(); c.close()
def epoll():
    r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN); os.write(w, b"x"); return e.poll(1) == [(r, 1)]
def send():
    with open("a", "wb") as f: f.write(b"x" * 100)
    with open("a", "rb") as f, open("b", "wb") as g: return os.sendfile(g.fileno(), f.fileno(), 0, 100) == 100
if __name__ == "__main__":
    works("threads", threads)
    works("fork", lambda: pool("fork"))
    works("spawn", lambda: pool("spawn"))
    works("loopback", lambda: asyncio.run(echo()))
    works("unix", lambda: [s.close() for s in socket.socketpair()] and None)
    works("interfaces", lambda: "lo" in [name for _, name in socket.if_nameindex()])
    works("subprocess", lambda: subprocess.run(["sh", "-c", "exit 3"]).returncode == 3)
    works("alarm", alarm)
    works("locks", lock)
    works("memory", lambda: mmap.mmap(-1, 1 << 20).close())
    works("memfd", lambda: os.close(os.memfd_create("x")))
    works("limits", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200)))
    works("priority", lambda: os.nice(0) + 1 == os.nice(1))
    works("processors", lambda: len(os.sched_getaffinity(0)) > 0 and os.sched_setaffinity(0, os.sched_getaffinity(0)) is None)
    works("random", lambda: len(os.getrandom(8)) == 8)
    works("database", database)
    works("epoll", epoll)
    works("sendfile", send)
    works("group", lambda: os.setpgid(0, 0) if os.getpid() != os.getsid(0) else None)
    works("native", lambda: ctypes.CDLL(None).getpid() == os.getpid())
    works("executable memory", lambda: mmap.mmap(-1, 4096, prot=7).close())
"#;

pub(crate) fn an_interpreter_gets_what_it_needs(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    if !run(sandbox.as_mut(), "/usr/bin/python3 -c 'import sqlite3, asyncio'").outcome.success() {
        eprintln!("skipped: there is no /usr/bin/python3 with its library");
        return;
    }
    sandbox.write("needs.py", PYTHON.as_bytes()).expect("written");
    let output = run(sandbox.as_mut(), "/usr/bin/python3 needs.py");
    let text = output.stdout.text();
    let wrong: Vec<&str> = text.lines().filter(|line| !line.ends_with(" ok")).collect();
    assert!(wrong.is_empty() && text.lines().count() == 21, "{text}{}", output.stderr.text());
}

pub(crate) fn a_compiler_gets_what_it_needs(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    if !run(sandbox.as_mut(), "cc --version").outcome.success() {
        eprintln!("skipped: there is no compiler below /usr");
        return;
    }
    sandbox.write("hello.c", b"#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n").expect("written");
    assert_eq!(text(sandbox.as_mut(), "cc -O2 -pipe -o hello hello.c && ./hello"), "hello\n");
}

pub(crate) fn processes_can_look_at_each_other(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    assert_eq!(text(sandbox.as_mut(), "sleep 9 & readlink /proc/$!/cwd; kill $!; wait $!; echo $?"), "/work\n143\n");
    assert_eq!(
        text(
            sandbox.as_mut(),
            "nproc > /dev/null && cat /proc/meminfo /proc/cpuinfo /proc/uptime > /dev/null && echo ok"
        ),
        "ok\n"
    );
}
