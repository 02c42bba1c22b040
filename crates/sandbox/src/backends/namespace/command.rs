//! Starts one command inside a box and ends what it leaves behind.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};

use super::protocol::Watch;
use super::{confine, sys};
use crate::Limits;

/// What a command is started with.
pub(super) struct Start<'a> {
    pub(super) argv: &'a [String],
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) cwd: &'a str,
    /// Become 0, 1, 2 and perhaps 3.
    pub(super) descriptors: Vec<OwnedFd>,
    pub(super) limits: &'a Limits,
    pub(super) watch: Watch,
}

/// Starts a command in its own session; a program that cannot be started ends with 126 or 127, as in a shell.
pub(super) fn start(start: &Start<'_>) -> io::Result<i32> {
    match sys::fork()? {
        Some(pid) => Ok(pid),
        None => become_command(start),
    }
}

fn become_command(start: &Start<'_>) -> ! {
    let error = match prepare(start) {
        Ok(()) => run_program(start),
        Err(error) => error,
    };
    let name = start.argv.first().map_or("", String::as_str);
    // Standard error may be closed by now; the status says the same.
    let _ = rustix::io::write(rustix::stdio::stderr(), format!("sandbox: {name}: {error}\n").as_bytes());
    sys::exit(if error.raw_os_error() == Some(libc::ENOENT) { 127 } else { 126 })
}

fn prepare(start: &Start<'_>) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    place(&start.descriptors)?;
    confine::confine_command(start.limits, start.watch)
        .map_err(|failure| io::Error::from_raw_os_error(failure.errno))?;
    sys::unblock_signals();
    std::env::set_current_dir(start.cwd)
}

/// Moves the descriptors to 0, 1, 2 … and closes all others. They are never numbers below 3 before.
fn place(descriptors: &[OwnedFd]) -> io::Result<()> {
    // Above every target, because the fourth may lie at a number that an earlier one has to get.
    let high: Vec<OwnedFd> =
        descriptors.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 16)).collect::<Result<_, _>>()?;
    for (number, fd) in high.iter().enumerate() {
        sys::replace_descriptor(fd, number as i32)?;
    }
    std::mem::forget(high);
    sys::close_from(descriptors.len() as i32)
}

fn run_program(start: &Start<'_>) -> io::Error {
    let strings = |texts: Vec<String>| -> Result<Vec<CString>, std::ffi::NulError> {
        texts.into_iter().map(CString::new).collect()
    };
    let environment = start.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (Ok(arguments), Ok(environment)) = (strings(start.argv.to_vec()), strings(environment)) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let mut result = io::Error::from_raw_os_error(libc::ENOENT);
    for candidate in candidates(start) {
        let error = sys::execute(&candidate, &arguments, &environment);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // A later directory may have one that can be executed.
            Some(libc::EACCES) => result = error,
            _ => return error,
        }
    }
    result
}

/// Where the program may be: as given if it has a slash, else in each directory of the command's `PATH`.
fn candidates(start: &Start<'_>) -> Vec<CString> {
    const DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";
    let Some(program) = start.argv.first().filter(|program| !program.is_empty()) else { return Vec::new() };
    if program.contains('/') {
        return CString::new(program.as_str()).into_iter().collect();
    }
    let path = start.env.get("PATH").map_or(DEFAULT, String::as_str);
    path.split(':').filter_map(|directory| CString::new(format!("{directory}/{program}")).ok()).collect()
}

/// Kills what is left of the session that `leader`, already collected, had started.
pub(super) fn kill_session(leader: i32) {
    // A process may have forked behind the look at it; what forks faster than it is killed is ended with all the rest.
    for _ in 0..100 {
        if sys::childless() || !kill_members(leader) {
            return;
        }
        std::thread::yield_now();
    }
    sys::kill_all();
}

/// Kills the living processes of a session; whether there were any.
fn kill_members(leader: i32) -> bool {
    let mut found = false;
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if living_session(pid) == Some(leader)
            && let Some(pid) = Pid::from_raw(pid)
        {
            found = true;
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
    found
}

fn living_session(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain anything, so count from the last parenthesis: state, parent, group, session.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace();
    fields.next().filter(|state| *state != "Z")?;
    fields.nth(2)?.parse().ok()
}
