//! System calls that no ordinary program makes, tried from inside: this program again, shown to the sandbox.
//!
//! It writes one line for each try to the report channel: a name and the error number, 0 for success.
#![expect(unsafe_code, reason = "raw system calls are what is tried")]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::FromRawFd;

use basis_sandbox::{Backend, Command, Sandbox};
use libc::{c_long, c_void};
use tempfile::TempDir;

use crate::fixture::{layer, mount, spec};

/// Names the group of tries for the copy inside.
const PROBE: &str = "BASIS_PROBE";
/// Where this program is inside.
const PLACE: &str = "/opt/probe";

/// A sandbox in which probes can run.
pub(crate) fn sandbox(backend: &dyn Backend) -> (TempDir, Box<dyn Sandbox>) {
    let layer = layer(&[]);
    let mut spec = spec(&[&layer]);
    let own = std::env::current_exe().expect("known");
    spec.mounts = vec![mount(own, PLACE)];
    let sandbox = backend.create(&spec).expect("created");
    (layer, sandbox)
}

/// The command that makes a group of tries.
pub(crate) fn command(group: &str) -> Command {
    let mut command = Command::new([PLACE, "--exact", "probe::inside", "--nocapture", "--test-threads=1"]);
    command.env = BTreeMap::from([(PROBE.to_owned(), group.to_owned())]);
    command.report = true;
    command
}

/// Makes a group of tries: name and error number of each.
pub(crate) fn run(sandbox: &mut dyn Sandbox, group: &str) -> Vec<(String, i32)> {
    let output = sandbox.exec(&command(group)).expect("ran");
    let text = output.report.text();
    assert!(
        text.ends_with("end 0\n"),
        "{:?}: {text}\n{}{}",
        output.outcome,
        output.stdout.text(),
        output.stderr.text()
    );
    let tries = text.lines().filter_map(|line| line.rsplit_once(' '));
    tries
        .filter(|(name, _)| *name != "end")
        .map(|(name, error)| (name.to_owned(), error.parse().expect("a number")))
        .collect()
}

/// Makes a group of tries, each of which must fail with one of these errors.
pub(crate) fn all_fail(backend: &dyn Backend, group: &str, errors: &[i32]) {
    let (_layer, mut sandbox) = sandbox(backend);
    let tries = run(sandbox.as_mut(), group);
    assert!(!tries.is_empty(), "no tries in `{group}`");
    for (name, error) in tries {
        assert!(errors.contains(&error), "{name}: {}", std::io::Error::from_raw_os_error(error));
    }
}

/// The copy inside; an ordinary run of the tests does nothing here.
#[test]
fn inside() {
    let Ok(group) = std::env::var(PROBE) else { return };
    // SAFETY: ignoring a signal has no preconditions. It would end this program at a file that is too large.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut tries = Tries(String::new());
    match group.as_str() {
        "namespaces" => namespaces(&mut tries),
        "mounts" => mounts(&mut tries),
        "entering" => entering(&mut tries),
        "families" => families(&mut tries),
        "calls" => calls(&mut tries),
        "clock" => clock(&mut tries),
        "terminal" => terminal(&mut tries),
        "first" => first(&mut tries),
        "devices" => devices(&mut tries),
        "tables" => tables(&mut tries),
        "odd" => odd(&mut tries),
        "exhaust" => exhaust(&mut tries),
        "share" => share(&mut tries),
        "shared" => shared(&mut tries),
        "memfd" => memfd(&mut tries),
        other => match other.strip_prefix("abstract ") {
            Some(name) => tries.result("connect", abstract_socket(name)),
            None => panic!("no tries `{other}`"),
        },
    }
    tries.0.push_str("end 0\n");
    // SAFETY: the report channel is descriptor 3 of this program and of nothing else.
    let mut report = unsafe { std::fs::File::from_raw_fd(3) };
    report.write_all(tries.0.as_bytes()).expect("written");
}

struct Tries(String);

impl Tries {
    fn call(&mut self, name: &str, number: c_long, arguments: [usize; 5]) {
        let [a, b, c, d, e] = arguments;
        // SAFETY: pointers among the arguments are null or point to memory that outlives the call.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, 0_usize) };
        self.result(name, result);
    }

    fn result(&mut self, name: &str, result: c_long) {
        let error = if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 };
        writeln!(self.0, "{name} {error}").expect("written to memory");
    }
}

const KINDS: [(&str, i32); 7] = [
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("net", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

fn namespaces(tries: &mut Tries) {
    for (name, flag) in KINDS {
        tries.call(&format!("unshare {name}"), libc::SYS_unshare, [flag as usize, 0, 0, 0, 0]);
        for together in [0, libc::CLONE_NEWUSER] {
            let flags = flag | together;
            // SAFETY: like `fork`; a child ends at once.
            let pid = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
            if pid == 0 {
                // SAFETY: ends the child.
                unsafe { libc::_exit(0) };
            }
            tries.result(&format!("clone {name} {together}"), pid);
            let arguments = [flags as u64, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0, 0, 0, 0];
            // SAFETY: like `fork`; the arguments outlive the call; a child ends at once.
            let pid = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) };
            if pid == 0 {
                // SAFETY: ends the child.
                unsafe { libc::_exit(0) };
            }
            tries.result(&format!("clone3 {name} {together}"), pid);
        }
    }
}

fn mounts(tries: &mut Tries) {
    let (none, tmpfs, target) = (c"none".as_ptr() as usize, c"tmpfs".as_ptr() as usize, c"/tmp".as_ptr() as usize);
    let cwd = libc::AT_FDCWD as usize;
    tries.call("mount", libc::SYS_mount, [none, target, tmpfs, 0, 0]);
    tries.call("bind", libc::SYS_mount, [c"/usr".as_ptr() as usize, target, 0, libc::MS_BIND as usize, 0]);
    let remount = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
    tries.call("remount", libc::SYS_mount, [none, c"/usr".as_ptr() as usize, 0, remount, 0]);
    tries.call("umount", libc::SYS_umount2, [c"/proc".as_ptr() as usize, libc::MNT_DETACH as usize, 0, 0, 0]);
    tries.call("fsopen", libc::SYS_fsopen, [tmpfs, 0, 0, 0, 0]);
    tries.call("open_tree", libc::SYS_open_tree, [cwd, target, 1, 0, 0]);
    tries.call("move_mount", libc::SYS_move_mount, [cwd, target, cwd, target, 0]);
    tries.call("mount_setattr", libc::SYS_mount_setattr, [cwd, target, 0, [0_u64; 4].as_ptr() as usize, 32]);
    tries.call("pivot_root", libc::SYS_pivot_root, [target, target, 0, 0, 0]);
    tries.call("chroot", libc::SYS_chroot, [target, 0, 0, 0, 0]);
}

fn entering(tries: &mut Tries) {
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        for process in ["self", "1"] {
            let name = format!("{process} {kind}");
            match std::fs::File::open(format!("/proc/{process}/ns/{kind}")) {
                Ok(file) => {
                    use std::os::fd::AsRawFd;
                    tries.call(&name, libc::SYS_setns, [file.as_raw_fd() as usize, 0, 0, 0, 0]);
                }
                Err(error) => writeln!(tries.0, "{name} {}", error.raw_os_error().unwrap_or(0)).expect("written"),
            }
        }
    }
    // SAFETY: plain system call.
    let first = unsafe { libc::syscall(libc::SYS_pidfd_open, 1, 0) };
    let all = KINDS.iter().fold(0, |all, (_, flag)| all | flag);
    tries.call("pidfd", libc::SYS_setns, [first as usize, all as usize, 0, 0, 0]);
}

fn families(tries: &mut Tries) {
    let mut socket = |name: &str, family: i32, kind: i32, protocol: i32| {
        tries.call(name, libc::SYS_socket, [family as usize, kind as usize, protocol as usize, 0, 0]);
    };
    for (name, family) in [
        ("vsock", libc::AF_VSOCK),
        ("alg", libc::AF_ALG),
        ("bluetooth", libc::AF_BLUETOOTH),
        ("can", libc::AF_CAN),
        ("xdp", libc::AF_XDP),
        ("tipc", libc::AF_TIPC),
        ("key", libc::AF_KEY),
        ("rds", libc::AF_RDS),
        ("nfc", libc::AF_NFC),
    ] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET] {
            socket(&format!("{name} {kind}"), family, kind, 0);
        }
    }
    socket("packet", libc::AF_PACKET, libc::SOCK_RAW, 0x0300);
    socket("raw", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP);
    socket("raw6", libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6);
    socket("sctp", libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP);
    socket("audit", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT);
    socket("netfilter", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER);
}

fn calls(tries: &mut Tries) {
    let memory = [0_u64; 64];
    let room = memory.as_ptr() as usize;
    let text = c"x".as_ptr() as usize;
    for (name, number, arguments) in [
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, room, 0, 0, 0]),
        ("bpf", libc::SYS_bpf, [0, room, 72, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [room, 0, usize::MAX, usize::MAX, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [0, usize::MAX - 2, 1, 0, 0]),
        ("add_key", libc::SYS_add_key, [c"user".as_ptr() as usize, text, text, 1, usize::MAX - 3]),
        ("request_key", libc::SYS_request_key, [c"user".as_ptr() as usize, text, 0, 0, 0]),
        ("kexec_load", libc::SYS_kexec_load, [0, 0, 0, 0, 0]),
        ("init_module", libc::SYS_init_module, [room, 8, text, 0, 0]),
        ("finit_module", libc::SYS_finit_module, [0, text, 0, 0, 0]),
        ("delete_module", libc::SYS_delete_module, [text, 0, 0, 0, 0]),
        ("reboot", libc::SYS_reboot, [0xfee1_dead, 0x2812_1969, 0, 0, 0]),
        ("swapon", libc::SYS_swapon, [text, 0, 0, 0, 0]),
        ("acct", libc::SYS_acct, [0, 0, 0, 0, 0]),
        ("quotactl", libc::SYS_quotactl, [0, 0, 0, 0, 0]),
        ("sethostname", libc::SYS_sethostname, [text, 1, 0, 0, 0]),
        ("syslog", libc::SYS_syslog, [3, room, 8, 0, 0]),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, [0, room, 0, 0, 0]),
        ("memfd_secret", libc::SYS_memfd_secret, [0, 0, 0, 0, 0]),
        ("fanotify_init", libc::SYS_fanotify_init, [0, 0, 0, 0, 0]),
        ("lookup_dcookie", libc::SYS_lookup_dcookie, [0, room, 8, 0, 0]),
        ("move_pages", libc::SYS_move_pages, [1, 0, 0, 0, 0]),
        ("vhangup", libc::SYS_vhangup, [0, 0, 0, 0, 0]),
        ("from the future", 5000, [0, 0, 0, 0, 0]),
    ] {
        tries.call(name, number, arguments);
    }
    #[cfg(target_arch = "x86_64")]
    for (name, number) in [("iopl", libc::SYS_iopl), ("ioperm", libc::SYS_ioperm), ("modify_ldt", libc::SYS_modify_ldt)]
    {
        tries.call(name, number, [3, 1, 1, 0, 0]);
    }
}

fn clock(tries: &mut Tries) {
    let time = [1_000_000_000_i64, 0];
    let at = time.as_ptr() as usize;
    let change = [1_u64; 32];
    tries.call("settimeofday", libc::SYS_settimeofday, [at, 0, 0, 0, 0]);
    tries.call("clock_settime", libc::SYS_clock_settime, [0, at, 0, 0, 0]);
    tries.call("adjtimex", libc::SYS_adjtimex, [change.as_ptr() as usize, 0, 0, 0, 0]);
    tries.call("clock_adjtime", libc::SYS_clock_adjtime, [0, change.as_ptr() as usize, 0, 0, 0]);
}

fn terminal(tries: &mut Tries) {
    let byte = [b'x'; 8];
    for descriptor in 0..4 {
        for (name, request) in [("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541c), ("TIOCSETD", 0x5423)] {
            let arguments = [descriptor, request, byte.as_ptr() as usize, 0, 0];
            tries.call(&format!("{name} {descriptor}"), libc::SYS_ioctl, arguments);
        }
    }
    let opened = std::fs::File::open("/dev/tty").map_or_else(|error| error.raw_os_error().unwrap_or(0), |_| 0);
    writeln!(tries.0, "/dev/tty {opened}").expect("written to memory");
}

fn first(tries: &mut Tries) {
    let mut memory = [0_u64; 64];
    let room = memory.as_mut_ptr() as usize;
    let parts = [room, 8, 0x40_0000, 8];
    let (here, there) = (parts.as_ptr() as usize, parts[2..].as_ptr() as usize);
    tries.call("attach", libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, 1, 0, 0, 0]);
    tries.call("seize", libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, 1, 0, 0, 0]);
    tries.call("readv", libc::SYS_process_vm_readv, [1, here, 1, there, 1]);
    tries.call("writev", libc::SYS_process_vm_writev, [1, here, 1, there, 1]);
    tries.call("kcmp", libc::SYS_kcmp, [1, 1, 0, 0, 0]);
    let limit = [0_u64, 0];
    let limits = [1, libc::RLIMIT_NOFILE as usize, limit.as_ptr() as usize, 0, 0];
    tries.call("prlimit", libc::SYS_prlimit64, limits);
    tries.call("setpriority", libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 1, 19, 0, 0]);
    tries.call("affinity", libc::SYS_sched_setaffinity, [1, 8, [1_u64].as_ptr() as usize, 0, 0]);
    tries.call("scheduler", libc::SYS_sched_setscheduler, [1, 5, [0_u64].as_ptr() as usize, 0, 0]);
    // SAFETY: plain system call.
    let first = unsafe { libc::syscall(libc::SYS_pidfd_open, 1, 0) };
    tries.call("pidfd_getfd", libc::SYS_pidfd_getfd, [first as usize, 3, 0, 0, 0]);
    tries.call("process_madvise", libc::SYS_process_madvise, [first as usize, there, 1, 4, 0]);
    for path in ["mem", "environ", "maps", "fd/0", "fd/3", "cwd", "root", "exe", "syscall", "auxv"] {
        let name = CString::new(format!("/proc/1/{path}")).expect("no NUL");
        // SAFETY: the path outlives the call.
        tries.result(&format!("/proc/1/{path}"), unsafe { libc::open(name.as_ptr(), libc::O_RDONLY) }.into());
    }
    for path in ["oom_score_adj", "clear_refs", "coredump_filter", "comm", "timerslack_ns", "uid_map"] {
        let name = CString::new(format!("/proc/1/{path}")).expect("no NUL");
        // SAFETY: path and byte outlive the calls.
        let written = unsafe {
            let file = libc::open(name.as_ptr(), libc::O_WRONLY);
            if file < 0 { -1 } else { libc::write(file, c"1".as_ptr().cast::<c_void>(), 1) }
        };
        tries.result(&format!("write /proc/1/{path}"), written as c_long);
    }
}

fn devices(tries: &mut Tries) {
    for (name, kind, major, minor) in [
        ("disk", libc::S_IFBLK, 8, 0),
        ("virtual disk", libc::S_IFBLK, 254, 0),
        ("kmsg", libc::S_IFCHR, 1, 11),
        ("memory", libc::S_IFCHR, 1, 1),
    ] {
        let device = libc::makedev(major, minor);
        // SAFETY: the path outlives the call.
        tries.result(name, unsafe { libc::mknod(c"node".as_ptr(), kind | 0o666, device) }.into());
    }
    for path in [
        "sda",
        "vda",
        "kmsg",
        "kvm",
        "fuse",
        "net/tun",
        "mem",
        "port",
        "loop-control",
        "vsock",
        "vhost-net",
        "ptmx",
        "console",
    ] {
        let name = CString::new(format!("/dev/{path}")).expect("no NUL");
        // SAFETY: the path outlives the call.
        tries.result(path, unsafe { libc::open(name.as_ptr(), libc::O_RDONLY) }.into());
    }
}

fn tables(tries: &mut Tries) {
    #[cfg(target_arch = "x86_64")]
    {
        const X32: c_long = 0x4000_0000;
        for (name, number) in [("getpid", libc::SYS_getpid), ("ptrace", 521), ("mount", libc::SYS_mount)] {
            tries.call(&format!("x32 {name}"), X32 | number, [0; 5]);
        }
        // SAFETY: the child makes one call of the 32-bit table and ends; the status outlives the wait.
        let status = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                let mut result: i64 = 20;
                std::arch::asm!("int 0x80", inlateout("rax") result);
                libc::_exit(i32::from(result > 0));
            }
            let mut status = 0;
            libc::waitpid(pid, &raw mut status, 0);
            status
        };
        // Killed by the filter, or the kernel has no such table (a fault or an error).
        let worked = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1;
        writeln!(tries.0, "int 0x80 {}", if worked { 0 } else { libc::ENOSYS }).expect("written to memory");
    }
    #[cfg(not(target_arch = "x86_64"))]
    writeln!(tries.0, "no other table {}", libc::ENOSYS).expect("written to memory");
}

/// 5,000 nested directories, each with a file; attributes as large as allowed; what is left over counts as tried.
fn odd(tries: &mut Tries) {
    for level in 0..5000 {
        // SAFETY: the paths outlive the calls.
        let failed = unsafe { libc::mkdir(c"d".as_ptr(), 0o755) < 0 || libc::chdir(c"d".as_ptr()) < 0 };
        if failed {
            tries.result(&format!("level {level}"), -1);
            return;
        }
    }
    let large = vec![b'x'; 60_000];
    // SAFETY: paths and value outlive the calls.
    unsafe {
        let file = libc::open(c"deepest".as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o644);
        libc::fsetxattr(file, c"user.large".as_ptr(), large.as_ptr().cast::<c_void>(), large.len(), 0);
        tries.result("hole", libc::ftruncate(file, 1 << 40).into());
    }
}

/// Takes of each kind of kernel object until there is no more, and keeps it until the end of the process.
fn exhaust(tries: &mut Tries) {
    // SAFETY: system calls with constant arguments, whose results are only kept open.
    unsafe {
        let mut until_error = |name: &str, make: &dyn Fn() -> i32| {
            let mut count = 0;
            // Half of the descriptors are left for the other kinds.
            while count < 100 && make() >= 0 {
                count += 1;
            }
            tries.result(&format!("{name} {count}"), 0);
        };
        until_error("watches", &|| libc::inotify_init1(0));
        until_error("epoll", &|| libc::epoll_create1(0));
        until_error("events", &|| libc::eventfd(0, 0));
        until_error("sockets", &|| libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0));
        until_error("pipes", &|| {
            let mut ends = [0; 2];
            let made = libc::pipe(ends.as_mut_ptr());
            libc::fcntl(ends[1], libc::F_SETPIPE_SZ, 1 << 20);
            made
        });
        until_error("timers", &|| libc::timerfd_create(libc::CLOCK_MONOTONIC, 0));
        until_error("memory", &|| libc::shmget(libc::IPC_PRIVATE, 4096, 0o600));
        until_error("semaphores", &|| libc::semget(libc::IPC_PRIVATE, 1, 0o600));
        until_error("queues", &|| libc::msgget(libc::IPC_PRIVATE, 0o600));
    }
    std::fs::write("/tmp/exhausted", "").expect("written");
    // Whatever was taken is kept meanwhile.
    std::thread::sleep(std::time::Duration::from_secs(20));
}

const KEY: i32 = 0x6261_7369;

fn share(tries: &mut Tries) {
    // SAFETY: constant arguments.
    unsafe {
        tries.result("memory", libc::shmget(KEY, 4096, libc::IPC_CREAT | 0o666).into());
        tries.result("semaphore", libc::semget(KEY, 1, libc::IPC_CREAT | 0o666).into());
        tries.result("queue", libc::msgget(KEY, libc::IPC_CREAT | 0o666).into());
    }
    std::fs::write("/dev/shm/shared", "").expect("written");
    std::fs::write("/tmp/shared", "").expect("written");
}

fn shared(tries: &mut Tries) {
    // SAFETY: constant arguments.
    unsafe {
        tries.result("memory", libc::shmget(KEY, 4096, 0o666).into());
        tries.result("semaphore", libc::semget(KEY, 1, 0o666).into());
        tries.result("queue", libc::msgget(KEY, 0o666).into());
    }
    for path in ["/dev/shm/shared", "/tmp/shared"] {
        let error = std::fs::File::open(path).map_or_else(|error| error.raw_os_error().unwrap_or(0), |_| 0);
        writeln!(tries.0, "{path} {error}").expect("written to memory");
    }
}

fn memfd(tries: &mut Tries) {
    let chunk = vec![1_u8; 1 << 20];
    // SAFETY: the name and the bytes outlive the calls.
    unsafe {
        let file = libc::memfd_create(c"bomb".as_ptr(), 0);
        for _ in 0..1024 {
            if libc::write(file, chunk.as_ptr().cast::<c_void>(), chunk.len()) < 0 {
                return tries.result("write", -1);
            }
        }
    }
    tries.result("write", 0);
}

fn abstract_socket(name: &str) -> c_long {
    // SAFETY: the address is a valid one of its family and outlives the call.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (place, byte) in address.sun_path[1..].iter_mut().zip(name.bytes()) {
            *place = byte as libc::c_char;
        }
        let length = (size_of::<libc::sa_family_t>() + 1 + name.len()) as libc::socklen_t;
        libc::connect(socket, (&raw const address).cast(), length).into()
    }
}
