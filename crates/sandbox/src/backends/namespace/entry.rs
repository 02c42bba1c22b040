//! Catches the spawner before `main`: every program that links this backend can be its own spawner.
//!
//! The loader runs the functions of `.init_array` before `main`. Ours returns at once unless the program was started
//! with the private name and a socket as standard input. Its arguments are the lease, and what its control groups are to limit.
#![expect(unsafe_code, reason = "a function that runs before main")]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::groups::Controller;
use super::{spawner, sys};

/// `argv[0]` of the spawner.
pub(super) const NAME: &str = "basis-sandbox-spawner";
type Entry = extern "C" fn();

#[used]
// SAFETY: the section holds pointers to functions of this signature.
#[unsafe(link_section = ".init_array")]
static ENTRY: Entry = enter;

/// Starts this program again under a name that [`ENTRY`] knows, with nothing of ours but `control` as its standard input.
pub(in crate::backends) fn start(
    name: &str,
    arguments: impl IntoIterator<Item = String>,
    control: OwnedFd,
) -> io::Result<Child> {
    // Forces the linker to keep it.
    std::hint::black_box(&ENTRY);
    Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(control))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

extern "C" fn enter() {
    // Not every C library passes the arguments to such functions, and the standard library may not have them yet.
    let Ok(line) = std::fs::read("/proc/self/cmdline") else { return };
    crate::backends::container::enter(&line);
    let mut arguments = line.split(|byte| *byte == 0);
    if arguments.next() == Some(NAME.as_bytes()) {
        let lease = arguments.next().and_then(|name| std::str::from_utf8(name).ok()?.parse().ok());
        let controllers = arguments.filter_map(|name| Controller::named(std::str::from_utf8(name).ok()?)).collect();
        if let (Some(lease), Some(control)) = (lease, adopt_control()) {
            spawner::run(control, &lease, controllers);
        }
        sys::exit(1);
    }
}

/// Takes standard input, which is the control socket, away from its number and closes everything else.
pub(in crate::backends) fn adopt_control() -> Option<OwnedFd> {
    const CONTROL: i32 = 3;
    let stdin = rustix::stdio::stdin();
    rustix::net::sockopt::socket_type(stdin).ok()?;
    sys::replace_descriptor(stdin, CONTROL).ok()?;
    sys::close_from(CONTROL + 1).ok()?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).ok()?;
    for number in 0..3 {
        sys::replace_descriptor(&null, number).ok()?;
    }
    drop(null);
    let control = sys::adopt_descriptor(CONTROL);
    rustix::io::fcntl_setfd(&control, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(control)
}
