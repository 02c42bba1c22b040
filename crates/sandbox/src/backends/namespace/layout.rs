//! Names inside a box that more than one file needs.

/// The tmpfs of a box while it is being set up; gone afterwards.
pub(super) const STAGE: &str = "/.box";

/// Directories that every root has, besides those of the system and of the specification.
pub(super) const DIRECTORIES: &[&str] =
    &["/etc", "/etc/alternatives", "/dev", "/dev/shm", "/proc", "/tmp", "/usr", "/var", "/var/tmp", "/run", STAGE];

/// Directories below which a box makes mount points itself, because they differ from box to box.
pub(super) const PRIVATE: &[&str] = &["/tmp", "/dev/shm", "/var/tmp"];

/// Small files of `/etc`.
pub(super) const FILES: &[(&str, &str)] = &[
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
pub(super) const SYSTEM: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Where files of the host are seen, after a link at the target was followed by the caller.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || directory == "/")
}
