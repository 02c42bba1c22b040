//! What a controller may have left: looked for from outside, by its number and its marker.

use std::fs;
use std::path::{Path, PathBuf};

use crate::controller::MARKER;

/// A process that belonged to a controller: the helpers have its number in their command line, commands its marker in
/// their environment.
pub(crate) fn process(controller: u32, marker: &str) -> Option<String> {
    let marker = format!("{MARKER}={marker}");
    let marked =
        |pid: &i32| read(*pid, "environ").split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes());
    let helper = helpers(controller).first().copied();
    helper.or_else(|| processes().into_iter().find(marked)).map(|pid| format!("process {pid}"))
}

/// Living spawners, keepers and boxes of a controller.
pub(crate) fn helpers(controller: u32) -> Vec<i32> {
    let number = format!("-{controller}-");
    let belongs = |pid: &i32| {
        let line = String::from_utf8_lossy(&read(*pid, "cmdline")).into_owned();
        line.starts_with("basis-sandbox-spawner\0") && line.contains(&number)
    };
    processes().into_iter().filter(belongs).collect()
}

/// The child of a process whose command line begins with `name`.
pub(crate) fn child(parent: u32, name: &str) -> Option<i32> {
    let is_child = |pid: &i32| {
        let stat = String::from_utf8_lossy(&read(*pid, "stat")).into_owned();
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().nth(1) == Some(&parent.to_string()));
        fields == Some(true) && read(*pid, "cmdline").starts_with(name.as_bytes())
    };
    processes().into_iter().find(is_child)
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("listed").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn read(pid: i32, name: &str) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// A control group that names the controller as its maker.
pub(crate) fn control_group(controller: u32) -> Option<String> {
    let mut left = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((directory, depth)) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("basis-") && name.contains(&format!("-{controller}-")) {
                return Some(format!("control group {}", entry.path().display()));
            }
            if depth < 8 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push((entry.path(), depth + 1));
            }
        }
    }
    None
}

/// A file in the directory for temporary files.
pub(crate) fn file(directory: &Path) -> Option<String> {
    let file = fs::read_dir(directory).expect("listed").flatten().next()?;
    Some(format!("file {}", file.path().display()))
}

/// Mounts that this process sees and only a sandbox makes, and its descriptors.
#[derive(Debug, PartialEq)]
pub(crate) struct Surroundings {
    mounts: Vec<String>,
    descriptors: usize,
}

impl Surroundings {
    pub(crate) fn look() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("read");
        // Others mount things meanwhile; these are the names that a box and a template have in their mounts.
        let ours = |line: &&str| ["/.box", "upperdir=upper,", "userxattr"].iter().any(|name| line.contains(name));
        Self {
            mounts: mounts.lines().filter(ours).map(str::to_owned).collect(),
            descriptors: fs::read_dir("/proc/self/fd").expect("listed").count(),
        }
    }

    pub(crate) fn are_unchanged(&self) {
        assert_eq!(&Self::look(), self);
    }
}
