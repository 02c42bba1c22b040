//! What the kernel and its settings allow: user namespaces, control groups, pressure.

use std::fs;
use std::path::Path;

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    vec![user_namespaces(&Namespaces::read()), control_groups(&Hierarchies::read())]
}

/// Settings that decide whether an ordinary user may have a sandbox.
struct Namespaces {
    root: bool,
    most: Option<u64>,
    debian: Option<u64>,
    apparmor: Option<u64>,
}

impl Namespaces {
    fn read() -> Self {
        let number = |name: &str| fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok();
        Self {
            root: rustix::process::geteuid().is_root(),
            most: number("user/max_user_namespaces"),
            debian: number("kernel/unprivileged_userns_clone"),
            apparmor: number("kernel/apparmor_restrict_unprivileged_userns"),
        }
    }
}

fn user_namespaces(settings: &Namespaces) -> Check {
    let what = "user namespaces";
    match settings {
        Namespaces { most: None, .. } => {
            Check::poor(what, "the kernel does not say how many there may be", "use a kernel with CONFIG_USER_NS")
        }
        Namespaces { most: Some(0), .. } => {
            Check::missing(what, "user.max_user_namespaces is 0", "`sysctl user.max_user_namespaces=10000`")
        }
        Namespaces { root: false, debian: Some(0), .. } => Check::missing(
            what,
            "kernel.unprivileged_userns_clone is 0: only root may make them",
            "`sysctl kernel.unprivileged_userns_clone=1`, or run as root",
        ),
        Namespaces { root: false, apparmor: Some(1), .. } => Check::poor(
            what,
            "kernel.apparmor_restrict_unprivileged_userns is 1: programs without a profile get no rights in them",
            "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`, a profile for basis with `userns,`, or run as root",
        ),
        Namespaces { most: Some(most), root, .. } => {
            let who = if *root { "root" } else { "this user" };
            Check::good(what, format!("{who} may make {most}"))
        }
    }
}

/// Where control groups of memory might be made.
struct Hierarchies {
    one: bool,
    /// Controllers of version 2.
    two: Vec<String>,
    /// Whether this process may make groups somewhere.
    writable: bool,
    pressure: bool,
}

impl Hierarchies {
    fn read() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
        let of =
            |kind: &str| points.iter().filter(move |fields| fields.get(2) == Some(&kind)).cloned().collect::<Vec<_>>();
        let memory: Vec<_> =
            of("cgroup").into_iter().filter(|fields| fields[3].split(',').any(|option| option == "memory")).collect();
        let controllers =
            |point: &str| fs::read_to_string(Path::new(point).join("cgroup.controllers")).unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
        let may_write = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        let two = of("cgroup2");
        let writable = memory.iter().any(|fields| may_write(Path::new(fields[1])))
            || two.iter().any(|fields| may_write(&Path::new(fields[1]).join(&own)));
        let two = two
            .iter()
            .flat_map(|fields| controllers(fields[1]).split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        Self {
            one: !memory.is_empty(),
            two: two.collect(),
            writable,
            pressure: Path::new("/proc/pressure/memory").exists(),
        }
    }
}

fn control_groups(found: &Hierarchies) -> Check {
    let what = "control groups";
    let version = match found {
        Hierarchies { two, .. } if two.iter().any(|name| name == "memory") => "version 2",
        Hierarchies { one: true, .. } => "version 1",
        _ => {
            let next = "mount them: `mount -t cgroup2 none /sys/fs/cgroup`, or boot with `cgroup_enable=memory`";
            return Check::poor(what, "none that limits memory; sandboxes watch themselves", next);
        }
    };
    let pressure = if found.pressure { "" } else { "; the kernel does not tell of pressure (boot with `psi=1`)" };
    match found.writable {
        true => Check::good(what, format!("{version}, groups can be made{pressure}")),
        false => Check::poor(
            what,
            format!("{version}, but this user may not make groups; sandboxes watch themselves{pressure}"),
            "`systemd-run --user --scope -p Delegate=yes basis …` (needs version 2), or run as root",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_is_named_with_its_setting() {
        let namespaces = |root, most, debian, apparmor| user_namespaces(&Namespaces { root, most, debian, apparmor });
        let groups = |one, two: &[&str], writable, pressure| {
            let two = two.iter().map(|name| (*name).to_owned()).collect();
            control_groups(&Hierarchies { one, two, writable, pressure })
        };
        let checks = [
            namespaces(true, Some(96_000), Some(0), Some(1)),
            namespaces(false, Some(96_000), None, None),
            namespaces(false, Some(96_000), Some(0), None),
            namespaces(false, Some(96_000), Some(1), Some(1)),
            namespaces(true, Some(0), None, None),
            namespaces(true, None, None, None),
            groups(false, &["cpu", "memory"], true, true),
            groups(true, &[], true, false),
            groups(false, &["memory"], false, true),
            groups(false, &["cpu"], false, true),
        ];
        assert_eq!(
            checks.map(|check| super::super::text(&check)).join("\n"),
            "\
good    user namespaces: root may make 96000
good    user namespaces: this user may make 96000
missing user namespaces: kernel.unprivileged_userns_clone is 0: only root may make them
        -> `sysctl kernel.unprivileged_userns_clone=1`, or run as root
poor    user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1: programs without a profile get no rights in them
        -> `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, a profile for basis with `userns,`, or run as root
missing user namespaces: user.max_user_namespaces is 0
        -> `sysctl user.max_user_namespaces=10000`
poor    user namespaces: the kernel does not say how many there may be
        -> use a kernel with CONFIG_USER_NS
good    control groups: version 2, groups can be made
good    control groups: version 1, groups can be made; the kernel does not tell of pressure (boot with `psi=1`)
poor    control groups: version 2, but this user may not make groups; sandboxes watch themselves
        -> `systemd-run --user --scope -p Delegate=yes basis …` (needs version 2), or run as root
poor    control groups: none that limits memory; sandboxes watch themselves
        -> mount them: `mount -t cgroup2 none /sys/fs/cgroup`, or boot with `cgroup_enable=memory`"
        );
    }
}
