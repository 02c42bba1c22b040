//! Doors of the kernel that must be closed.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use basis_sandbox::Backend;
use libc::{
    EACCES, EAFNOSUPPORT, EBADF, EFAULT, EINVAL, ENODEV, ENOENT, ENOSYS, ENOTDIR, ENOTTY, ENXIO, EPERM, EPROTONOSUPPORT,
};

use crate::fixture::{empty, fails, run, text};
use crate::probe;

/// What a call that is closed may say.
const REFUSED: &[i32] = &[EPERM, ENOSYS, EACCES];

pub(crate) fn no_user_namespaces(backend: &dyn Backend) {
    probe::all_fail(backend, "namespaces", REFUSED);
    let (_layer, mut sandbox) = empty(backend);
    fails(sandbox.as_mut(), "unshare --user --map-root-user true");
}

pub(crate) fn no_mounts(backend: &dyn Backend) {
    probe::all_fail(backend, "mounts", REFUSED);
}

pub(crate) fn no_entering_of_namespaces(backend: &dyn Backend) {
    probe::all_fail(backend, "entering", REFUSED);
}

pub(crate) fn no_network(backend: &dyn Backend) {
    probe::all_fail(backend, "families", &[EPERM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL, ENOSYS]);
    let (_layer, mut sandbox) = empty(backend);
    let host = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = host.local_addr().expect("an address").port();
    for target in [
        format!("tcp/127.0.0.1/{port}"),
        "tcp/192.0.2.1/80".into(),
        "udp/8.8.8.8/53".into(),
        "tcp/2001:db8::1/80".into(),
    ] {
        fails(sandbox.as_mut(), &format!("exec 9<>/dev/{target} && echo x >&9"));
    }
}

pub(crate) fn no_abstract_sockets(backend: &dyn Backend) {
    let name = format!("basis-attack-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&address).or_else(|_| UnixListener::bind_addr(&address)).expect("bound");
    probe::all_fail(backend, &format!("abstract {name}"), &[libc::ECONNREFUSED, EPERM]);
}

pub(crate) fn no_sockets_of_the_host(backend: &dyn Backend) {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("harness");
    let _listener = UnixListener::bind(&path).expect("bound");
    let (_layer, mut sandbox) = empty(backend);
    fails(sandbox.as_mut(), &format!("test -e {}", path.display()));
    assert_eq!(text(sandbox.as_mut(), "find / -xdev -type s 2> /dev/null | wc -l").trim(), "0");
    fails(sandbox.as_mut(), "ls /run/docker.sock /run/containerd /run/systemd /run/dbus /var/run/docker.sock");
}

pub(crate) fn no_devices(backend: &dyn Backend) {
    probe::all_fail(backend, "devices", &[EPERM, EACCES, ENOENT, ENXIO, ENODEV, ENOTDIR]);
}

pub(crate) fn no_terminal_input(backend: &dyn Backend) {
    probe::all_fail(backend, "terminal", &[EPERM, EACCES, ENOTTY, EBADF, ENXIO, ENOENT]);
}

pub(crate) fn the_clock_cannot_be_set(backend: &dyn Backend) {
    probe::all_fail(backend, "clock", REFUSED);
    let (_layer, mut sandbox) = empty(backend);
    fails(sandbox.as_mut(), "date -s 2000-01-01");
}

pub(crate) fn dangerous_calls_are_closed(backend: &dyn Backend) {
    probe::all_fail(backend, "calls", REFUSED);
}

pub(crate) fn other_call_tables_are_closed(backend: &dyn Backend) {
    probe::all_fail(backend, "tables", &[ENOSYS, EPERM, EFAULT]);
}

pub(crate) fn settings_of_the_kernel_cannot_be_written(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    for path in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/pid_max",
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/user/max_user_namespaces",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/1/oom_score_adj",
        "/proc/1/uid_map",
        "/sys/kernel/mm/ksm/run",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/kernel/uevent_helper",
    ] {
        fails(sandbox.as_mut(), &format!("exec 9<> {path}"));
    }
    // Masked: writing goes nowhere.
    fails(sandbox.as_mut(), "exec 9> /proc/sysrq-trigger && test ! -c /proc/sysrq-trigger");
    for path in ["/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/config.gz", "/proc/cmdline"] {
        assert_eq!(run(sandbox.as_mut(), &format!("head -c 10 {path}")).stdout.text(), "", "{path}");
    }
}
