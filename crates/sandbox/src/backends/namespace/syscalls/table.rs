//! Which system calls a command may make: all of a known kernel, without those that only serve to configure or watch a
//! machine, and without families of sockets and namespaces that would leave the box.

use std::collections::BTreeMap;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// Fails with this error.
    Refused(i32),
    /// Refused (`EPERM`) when one of these is true of its arguments.
    Unless(&'static [Refusal]),
}

/// Conditions that must hold together for a refusal.
pub(super) type Refusal = &'static [Condition];

/// A condition on the lower half of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u32,
    pub(super) is: Is,
}

/// What is true of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Equal(u32),
    Other(u32),
    /// Has one of these bits.
    Flagged(u32),
}

const fn arg(argument: u32, is: Is) -> Condition {
    Condition { argument, is }
}

/// The numbers that both supported architectures had before they became the same, and those since.
#[cfg(target_arch = "x86_64")]
const OLD: std::ops::RangeInclusive<i64> = 0..=334;
#[cfg(target_arch = "aarch64")]
const OLD: std::ops::RangeInclusive<i64> = 0..=293;
/// From `pidfd_send_signal` to `removexattrat`.
const COMMON: std::ops::RangeInclusive<i64> = 424..=466;

const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;
/// `CLONE_NEWTIME` has the value of a signal in `clone`, but not in `unshare`.
const NEW_TIME: u32 = 0x80;
const PID_1: Is = Is::Equal(1);

/// Calls that exist and are refused: administration, tracing of the machine, modules, keys, and interfaces that had many
/// holes.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_memfd_secret,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_set_mempolicy_home_node,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    // statmount, listmount and the three calls about security modules.
    457,
    458,
    459,
    460,
    461,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS__sysctl,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_modify_ldt,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
#[cfg(target_arch = "aarch64")]
const REFUSED_HERE: &[i64] = &[];

const UNIX: u32 = libc::AF_UNIX as u32;
const INET: u32 = libc::AF_INET as u32;
const INET6: u32 = libc::AF_INET6 as u32;
const NETLINK: u32 = libc::AF_NETLINK as u32;

/// Protocols of the internet that are not loaded on demand from the far corners of the kernel.
const fn other_protocol(family: u32) -> [Condition; 6] {
    [
        arg(0, Is::Equal(family)),
        arg(2, Is::Other(0)),
        arg(2, Is::Other(libc::IPPROTO_TCP as u32)),
        arg(2, Is::Other(libc::IPPROTO_UDP as u32)),
        arg(2, Is::Other(libc::IPPROTO_ICMP as u32)),
        arg(2, Is::Other(libc::IPPROTO_ICMPV6 as u32)),
    ]
}

const PER_LINUX32: u32 = 8;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const TIOCCONS: u32 = 0x541d;
const TIOCSETD: u32 = 0x5423;

/// Calls that are refused for some arguments.
#[allow(clippy::unnecessary_cast, reason = "constants have other types with other C libraries")]
const CHECKED: &[(i64, &[Refusal])] = &[
    (libc::SYS_clone, &[&[arg(0, Is::Flagged(NAMESPACES))]]),
    (libc::SYS_unshare, &[&[arg(0, Is::Flagged(NAMESPACES | NEW_TIME))]]),
    (
        libc::SYS_socket,
        &[
            &[arg(0, Is::Other(UNIX)), arg(0, Is::Other(INET)), arg(0, Is::Other(INET6)), arg(0, Is::Other(NETLINK))],
            // Routes only: addresses of interfaces are read through it.
            &[arg(0, Is::Equal(NETLINK)), arg(2, Is::Other(libc::NETLINK_ROUTE as u32))],
            &other_protocol(INET),
            &other_protocol(INET6),
        ],
    ),
    (libc::SYS_socketpair, &[&[arg(0, Is::Other(UNIX))]]),
    (
        libc::SYS_ioctl,
        &[
            &[arg(1, Is::Equal(TIOCSTI))],
            &[arg(1, Is::Equal(TIOCLINUX))],
            &[arg(1, Is::Equal(TIOCCONS))],
            &[arg(1, Is::Equal(TIOCSETD))],
        ],
    ),
    // The first process of the box serves the host, and it has the user of the commands.
    (libc::SYS_prlimit64, &[&[arg(0, PID_1)]]),
    (libc::SYS_sched_setaffinity, &[&[arg(0, PID_1)]]),
    (libc::SYS_sched_setattr, &[&[arg(0, PID_1)]]),
    (libc::SYS_sched_setparam, &[&[arg(0, PID_1)]]),
    (libc::SYS_sched_setscheduler, &[&[arg(0, PID_1)]]),
    (libc::SYS_ioprio_set, &[&[arg(0, Is::Other(1))], &[arg(1, PID_1)]]),
    (
        libc::SYS_setpriority,
        &[&[arg(0, Is::Equal(libc::PRIO_USER as u32))], &[arg(0, Is::Equal(libc::PRIO_PROCESS as u32)), arg(1, PID_1)]],
    ),
    // Only: the usual one, that of 32 bits, without random addresses (debuggers), and asking.
    (
        libc::SYS_personality,
        &[&[
            arg(0, Is::Other(0)),
            arg(0, Is::Other(PER_LINUX32)),
            arg(0, Is::Other(libc::ADDR_NO_RANDOMIZE as u32)),
            arg(0, Is::Other(u32::MAX)),
        ]],
    ),
];

/// What making a box needs and no command may do.
const SETTING_UP: &[i64] = &[
    libc::SYS_chroot,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
];

/// The same in two parts: what whoever makes boxes can do without, and the rest.
pub(super) fn parts() -> (BTreeMap<u32, Verdict>, BTreeMap<u32, Verdict>) {
    let mut first = calls();
    let take = |number: &i64| {
        let number = *number as u32;
        first.insert(number, Verdict::Allowed).map(|verdict| (number, verdict))
    };
    let second = SETTING_UP.iter().filter_map(take).collect();
    (first, second)
}

/// Every call that is known; all others do not exist (`ENOSYS`).
pub(super) fn calls() -> BTreeMap<u32, Verdict> {
    let mut calls: BTreeMap<u32, Verdict> = OLD.chain(COMMON).map(|number| (number as u32, Verdict::Allowed)).collect();
    for number in REFUSED.iter().chain(REFUSED_HERE) {
        calls.insert(*number as u32, Verdict::Refused(libc::EPERM));
    }
    for (number, refusals) in CHECKED {
        calls.insert(*number as u32, Verdict::Unless(refusals));
    }
    // Its flags are in memory, where the filter cannot look; every C library then uses `clone`.
    calls.insert(libc::SYS_clone3 as u32, Verdict::Refused(libc::ENOSYS));
    calls
}
