//! The system calls that `rustix` does not wrap safely. All `unsafe` of this backend is here or in `entry.rs`.
//!
//! Every caller of the process-making calls is single-threaded (spawner or box), so a child may allocate.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Who returns from a call that makes a process.
pub(super) enum Cloned {
    /// The new process.
    Child,
    /// The caller, with the new process.
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Makes a process in new namespaces (`libc::CLONE_NEW*`), like `fork`.
pub(super) fn clone(namespaces: i32) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is a valid `clone_args`.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (namespaces | libc::CLONE_PIDFD) as u64;
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM this is `fork`; the arguments outlive the call; the caller has one thread.
    match check(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) })? {
        0 => Ok(Cloned::Child),
        // SAFETY: the kernel stored a new descriptor that nothing else owns.
        pid => Ok(Cloned::Parent { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Forks; `None` in the child.
pub(super) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the caller has one thread.
    match check(unsafe { libc::fork() }.into())? {
        0 => Ok(None),
        pid => Ok(Some(pid as i32)),
    }
}

/// Replaces the program; returns only to say why it could not.
pub(super) fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let arguments = pointers(arguments);
    let environment = pointers(environment);
    // SAFETY: both arrays end with null and point to strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Ends this process at once, running no destructors.
pub(in crate::backends) fn exit(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// Changes the attributes (`libc::MOUNT_ATTR_*`) of a mount, with `recursive` of the whole tree below it.
pub(in crate::backends) fn set_mount_attributes(
    mount: impl AsFd,
    set: u64,
    user_namespace: Option<&OwnedFd>,
    recursive: bool,
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set | if user_namespace.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: 0,
        userns_fd: user_namespace.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let fd = mount.as_fd().as_raw_fd();
    // SAFETY: the path is an empty C string and the structure outlives the call.
    check(unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attributes, size_of_val(&attributes))
    })
    .map(drop)
}

/// Takes attributes (`libc::MOUNT_ATTR_*`) of one mount back.
pub(in crate::backends) fn clear_mount_attributes(mount: impl AsFd, clear: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: 0, attr_clr: clear, propagation: 0, userns_fd: 0 };
    let fd = mount.as_fd().as_raw_fd();
    // SAFETY: the path is an empty C string and the structure outlives the call.
    check(unsafe {
        let size = size_of_val(&attributes);
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), libc::AT_EMPTY_PATH, &raw const attributes, size)
    })
    .map(drop)
}

/// Closes every descriptor from `first` on. Nothing in this process may own one of them any more.
pub(super) fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: the callers own no descriptor from `first` on, or never use it again.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }).map(drop)
}

/// Makes `target` a copy of `source` without close-on-exec, whatever was there before.
pub(super) fn replace_descriptor(source: impl AsFd, target: RawFd) -> io::Result<()> {
    let source = source.as_fd().as_raw_fd();
    if source == target {
        // SAFETY: plain flag change on an open descriptor.
        return check(unsafe { libc::fcntl(source, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: the callers pass the standard numbers, which nothing owns.
    check(unsafe { libc::dup2(source, target) }.into()).map(drop)
}

/// Takes over a descriptor that was inherited under a fixed number.
pub(super) fn adopt_descriptor(number: RawFd) -> OwnedFd {
    // SAFETY: the caller has just placed the descriptor there and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Blocks `SIGCHLD` and returns a descriptor that becomes readable when a child ends.
pub(super) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by `sigemptyset` before use.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()).into())?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).into())?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Gives every signal its default action, here and in whatever this process will start.
pub(super) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: resetting dispositions has no preconditions; numbers that cannot be reset return an error that is harmless.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Blocks no signal any more.
pub(super) fn unblock_signals() {
    // SAFETY: the set is initialised by `sigemptyset` before use.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Kills every process of the pid namespace but PID 1, which must be the caller.
pub(super) fn kill_all() {
    signal_all(libc::SIGKILL);
}

/// Sends a signal to every process of the pid namespace but PID 1, which must be the caller.
pub(super) fn signal_all(signal: i32) {
    // SAFETY: `kill` has no memory effects.
    unsafe { libc::kill(-1, signal) };
}

/// Sends the signal of Ctrl-C to the process group of `leader`, which is not collected yet.
pub(super) fn interrupt_group(leader: i32) {
    // SAFETY: `kill` has no memory effects.
    unsafe { libc::kill(-leader, libc::SIGINT) };
}

/// Collects one ended child without waiting: its pid and wait status.
pub(super) fn reap() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) };
    (pid > 0).then_some((pid, status))
}

/// Whether the caller has no child at all, running or ended.
pub(super) fn childless() -> bool {
    // SAFETY: an all-zero `siginfo_t` is valid and outlives the call; nothing is reaped with WNOWAIT.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) < 0
    }
}

/// Whether the caller's namespace has shared memory, semaphores or message queues of the old kind, which need no process to stay. Also
/// when that cannot be found out. Those of POSIX are files, or none may be made.
pub(super) fn shares_memory() -> bool {
    // Commands of `shmctl`, `semctl` and `msgctl`, and which number of their answer says how many there are.
    const SHM_INFO: i32 = 14;
    const SEM_INFO: i32 = 19;
    const MSG_INFO: i32 = 12;
    const SEMAPHORE_SETS: usize = 7;
    // The answers are shorter than this.
    let mut answers = [[0_i32; 64]; 3];
    let [memory, semaphores, queues] = &mut answers;
    // SAFETY: each call writes less than 256 bytes, and the numbers outlive it.
    let done = unsafe {
        [
            libc::syscall(libc::SYS_shmctl, 0, SHM_INFO, memory.as_mut_ptr()),
            libc::syscall(libc::SYS_semctl, 0, 0, SEM_INFO, semaphores.as_mut_ptr()),
            libc::syscall(libc::SYS_msgctl, 0, MSG_INFO, queues.as_mut_ptr()),
        ]
    };
    let counts = [memory[0], semaphores[SEMAPHORE_SETS], queues[0]];
    done.iter().any(|result| *result < 0) || counts.iter().any(|count| *count != 0)
}

/// Waits for any child.
pub(super) fn wait_any() {
    wait(-1);
}

/// Empties a descriptor of [`child_signals`].
pub(super) fn drain(signals: &OwnedFd) {
    let mut drained = [0; 1024];
    while rustix::io::read(signals, &mut drained).is_ok_and(|count| count > 0) {}
}

/// Closes descriptors that a forked child inherited, but whose owners live only in its parent.
pub(super) fn close_foreign(descriptors: &[BorrowedFd<'_>]) {
    for fd in descriptors {
        // SAFETY: the owning values are never used or dropped in this process, which ends without returning to them.
        unsafe { libc::close(fd.as_raw_fd()) };
    }
}

/// Waits for one child.
pub(super) fn wait(pid: i32) {
    // SAFETY: the status is not wanted.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
}

/// Sets one resource limit, soft and hard, lowered to what the process may have.
pub(super) fn limit(resource: u32, value: u64) -> io::Result<()> {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure outlives both calls.
    unsafe {
        check(libc::getrlimit(resource as _, &raw mut current).into())?;
        let value = value.min(current.rlim_max);
        current = libc::rlimit { rlim_cur: value, rlim_max: value };
        check(libc::setrlimit(resource as _, &raw const current).into()).map(drop)
    }
}

/// Installs a filter of system calls in this thread, which must be the only one.
pub(super) fn filter_system_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which outlives the call, and does not write to it.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) }).map(drop)
}

/// Joins a new, empty session keyring, so that none of the controller's keys is possessed.
pub(super) fn leave_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring. Kernels without keyrings answer with an error that is harmless.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Brings up the loopback interface of the current network namespace.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: all-zero is a valid `ifreq`, the name is shorter than the field, and the request outlives the calls.
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0).into())?;
        let socket = OwnedFd::from_raw_fd(socket as RawFd);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request).into()).map(drop)
    }
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Leaves the namespaces `libc::CLONE_NEW*` for new ones.
pub(in crate::backends) fn unshare(namespaces: i32) -> io::Result<()> {
    // SAFETY: the callers pass namespace flags only, never `CLONE_FILES`.
    check(unsafe { libc::unshare(namespaces) }.into()).map(drop)
}
