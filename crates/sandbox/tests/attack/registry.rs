//! The attacks, in the order of the reference.

use crate::{Attack, closed, ends, files, floods, neighbours, processes, secrets};

/// Makes an entry of the table and a test of each attack.
macro_rules! attacks {
    ($($number:literal $module:ident $run:ident: $name:literal, $tries:literal, $seen:literal;)*) => {
        pub(crate) const ALL: &[Attack] = &[$(Attack {
            number: $number, name: $name, tries: $tries, seen: $seen, run: $module::$run,
        }),*];

        mod attacks {
            $(#[test]
            fn $run() {
                crate::results::check($number);
            })*
        }
    };
}

attacks! {
    1 floods a_fork_bomb_is_contained: "fork bomb", "a shell function that calls itself twice, in sessions of its own",
        "the command is killed at its wall limit, nothing of it is left, the sandbox answers";
    2 floods memory_is_bounded: "memory bomb", "touch four times the memory limit",
        "the command ends out of memory, another sandbox does not notice";
    3 floods memory_files_are_bounded: "memory through files", "write beyond the limits to `/tmp`, `/dev/shm` and a `memfd`",
        "no space left, or out of memory";
    4 floods the_disk_is_bounded: "disk fill", "write four times the disk limit", "no space left at the limit, said in the result";
    5 floods the_number_of_files_is_bounded: "inode fill", "make files without end", "no space left at the limit";
    6 floods odd_trees_do_not_stop_the_host: "deep paths, long attributes, holes", "5,000 nested directories, 60 KiB attributes, a file of 1 TB",
        "changes are listed, the sandbox is destroyed";
    7 files links_do_not_lead_the_host_out: "symbolic link escape", "links to `/` and to secrets of the host, read through the host's interface",
        "refused, the secret is never read";
    8 files hard_links_do_not_take_files_out: "hard link out of the toolchain", "link a system file into the working directory", "refused, across devices";
    9 files layers_stay_as_they_are: "write through to shared layers", "append, truncate, chmod, rename, replace, unnamed files",
        "every byte and mode of the layer is as before";
    10 files magic_links_stay_inside: "magic links of `/proc`", "`/proc/1/root`, roots, directories and descriptors of all processes", "only the sandbox's own root";
    11 processes the_first_process_cannot_be_taken_over: "tracing PID 1 or a sibling", "`ptrace`, `process_vm_readv`, `pidfd_getfd`, `kcmp`, `prlimit`, memory files",
        "refused; processes outside do not exist";
    12 processes the_first_process_cannot_be_ended: "killing PID 1 or the controller", "every signal to PID 1, to everything and to the controller's number",
        "PID 1 answers as before; the controller does not exist inside";
    13 secrets hidden_files_are_nowhere: "reading hidden tests", "search files, environments, memory maps and mounts for a secret of the host", "not found";
    14 secrets a_planted_file_does_not_win: "planting a file under a hidden name", "make the file that the grader will bring", "the grader's version is what is seen";
    15 ends nothing_runs_on_after_freezing: "daemon that changes results later", "double fork, new session, ignored signals", "dead before the host looks, files stay as they were";
    16 files the_toolchain_cannot_be_written: "writing the toolchain", "write, rename over, remove, mount over", "refused, unchanged";
    17 closed no_user_namespaces: "nested user namespace", "`unshare`, `clone` and `clone3` with each kind of namespace", "refused or unknown";
    18 closed no_mounts: "mounts", "`mount`, `umount2`, `fsopen`, `open_tree`, `move_mount`, `mount_setattr`, `pivot_root`, `chroot`", "refused";
    19 closed no_entering_of_namespaces: "entering namespaces", "`setns` on every namespace file and on descriptors of processes", "refused";
    20 closed no_network: "network", "TCP, UDP, DNS, raw, packet, IPv6, `AF_VSOCK`, `AF_ALG`, other families and protocols", "unreachable or refused";
    21 closed no_abstract_sockets: "abstract sockets of the host", "connect to a listener outside", "refused";
    22 closed no_sockets_of_the_host: "socket files of the host", "connect to a socket in the host's temporary directory", "not there";
    23 closed no_devices: "device nodes", "make and open disks, `kmsg`, `kvm`, `fuse`, `tun`, `mem`", "refused or not there";
    24 processes no_privileges_are_gained: "setuid and file capabilities", "a setuid copy of a program, capabilities on a file, `su`", "no other user, no capability";
    25 closed no_terminal_input: "terminal injection", "`TIOCSTI`, `TIOCLINUX`, `TIOCSETD` on every descriptor", "refused, there is no terminal";
    26 processes no_core_dumps: "core dump", "raise the limit, crash, change where dumps go", "no dump, the setting is closed";
    27 floods output_is_bounded: "output flood", "`yes`, a line of 1 GB, NUL, broken UTF-8, control sequences", "cut and counted, killed; the host's memory stays";
    28 ends output_held_open_does_not_hold_the_host: "output held open", "a daemon that keeps the pipes", "the command returns when it ends";
    29 closed the_clock_cannot_be_set: "clock", "`settimeofday`, `clock_settime`, `adjtimex`", "refused";
    30 neighbours nothing_is_shared_between_sandboxes: "shared memory between sandboxes", "System V memory, `/dev/shm`, abstract sockets, keys", "the other sandbox sees none of it";
    31 secrets the_environment_holds_no_secrets: "secrets in the environment", "own environment and those of all processes", "exactly what was given";
    32 secrets no_descriptors_are_inherited: "inherited descriptors", "list and use descriptors above 2", "there are none";
    33 closed dangerous_calls_are_closed: "dangerous system calls", "`io_uring`, `bpf`, `perf_event_open`, `userfaultfd`, keys, `kexec`, modules, `reboot` and more", "refused or unknown";
    34 closed other_call_tables_are_closed: "32-bit and x32 system calls", "`int 0x80` and x32 numbers", "killed or unknown";
    35 closed settings_of_the_kernel_cannot_be_written: "writing `/proc` and `/sys`", "`core_pattern`, `drop_caches`, `sysrq-trigger`, settings of PID 1", "refused or not there";
    36 neighbours memory_kills_stay_inside: "blaming others for memory", "lower the own score, then use up memory", "the other sandbox lives";
    37 neighbours exhausting_the_kernel_stays_inside: "exhausting kernel objects", "watches, event files, pipes, sockets and locks until an error", "the other sandbox still works";
    38 files odd_files_do_not_hang_the_host: "odd files for the host", "fifos, sockets and huge directories where files are expected", "refused at once";
    39 secrets the_host_runs_nothing_of_the_tree: "code in repository settings", "`core.fsmonitor`, hooks, filters in a planted `.git`", "the host never runs any of it";
    40 secrets the_control_channel_is_out_of_reach: "forged answers", "find the channel of PID 1 and write to it", "no such descriptor, PID 1 is closed";
    41 secrets printed_text_decides_nothing: "spoofed results", "print sentinels, fake statuses and protocol frames", "the status is that of the process";
    42 secrets history_outside_the_layer_is_not_there: "repository history", "look for a repository above and beside the layer", "not there";
    43 neighbours busy_loops_leave_room: "processor load", "busy loops in every process that is allowed", "the other sandbox's command ends in time";
    44 files swapping_directories_and_links_gains_nothing: "races with the host's file access", "swap a directory and a link while the host reads and writes", "the secret is never read or written";
    45 ends a_killed_controller_leaves_nothing: "killed controller", "kill the controller at random moments", "no process is left";
    46 ends ends_without_descriptors: "clean-up without resources", "destroy sandboxes when no descriptor is left", "everything is gone";
}
