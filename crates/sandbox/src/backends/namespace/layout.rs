//! Names inside a box that more than one file needs.

/// The tmpfs of a box while it is being set up; gone afterwards.
pub(super) const STAGE: &str = "/.box";

/// Directories of the tmpfs that hold what commands write, and their modes.
pub(in crate::backends) const FILES_OF_BOX: &[(&str, u32)] =
    &[(UPPER, 0o755), (ROOT_UPPER, 0o755), ("tmp", 0o1777), ("shm", 0o1777)];
/// The upper directory of the overlay.
pub(in crate::backends) const UPPER: &str = "upper";

/// The same of the overlay over the layers of a root.
pub(in crate::backends) const ROOT_UPPER: &str = "root-upper";
/// Where a root of its own is put together.
pub(super) const ROOT: &str = "/.root";

/// Directories that every root has, besides those of the system and of the specification.
pub(in crate::backends) const DIRECTORIES: &[&str] = &[
    "/etc",
    "/etc/alternatives",
    "/dev",
    "/dev/shm",
    "/proc",
    "/tmp",
    "/usr",
    "/var",
    "/var/tmp",
    "/run",
    STAGE,
    ROOT,
];

/// Directories below which a box makes mount points itself, because they differ from box to box.
pub(in crate::backends) const PRIVATE: &[&str] = &["/tmp", "/dev/shm", "/var/tmp"];

/// A directory with nothing in it.
pub(super) const NOTHING: &str = "/run";

/// Files of `proc` that tell about the machine rather than about the box, and that anybody may read.
pub(super) const MASKED_FILES: &[&str] = &[
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
];

/// The same for directories.
pub(super) const MASKED_DIRECTORIES: &[&str] =
    &["/proc/acpi", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/scsi"];

/// Small files of `/etc`.
pub(in crate::backends) const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "user:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
    ("/etc/group", "user:x:1000:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    ("/etc/hostname", "sandbox\n"),
];

/// Device nodes taken from the host.
pub(super) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Symbolic links: where, and to what.
pub(super) const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/etc/mtab", "/proc/self/mounts"),
];

/// System directories that are links into `/usr` on merged systems and directories on others.
pub(in crate::backends) const SYSTEM: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Where files of the host are seen, after a link at the target was followed by the caller.
pub(in crate::backends) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || directory == "/")
}
