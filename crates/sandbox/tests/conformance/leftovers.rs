//! Nothing stays behind: no process, mount, directory or control group, however the controller ends.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use basis_sandbox::Backend;

use crate::fixture::{daemon, empty, eventually, marker, sleepers, text};

/// Says to a copy of this program that it is to be a controller, and of which backend.
const CONTROLLER: &str = "BASIS_TEST_CONTROLLER";
/// The marker of its daemons.
const MARKER: &str = "BASIS_TEST_MARKER";

pub(crate) fn nothing_is_left_after_drop(backend: &dyn Backend) {
    let own = crate::fixture::open(backend.name()).expect("opened");
    let (mounts, files) = (mounts(), temporary_files());
    let marker = marker();
    let mut all: Vec<_> = (0..5).map(|_| empty(own.as_ref())).collect();
    for (_, sandbox) in &mut all {
        text(sandbox.as_mut(), &daemon(&marker));
    }
    let before = descendants(std::process::id() as i32);
    eventually("the daemons run", || sleepers(&marker).len() == 5);
    drop(all);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    drop(own);
    assert!(before.len() >= 5);
    assert_eq!(self::mounts(), mounts);
    eventually("temporary files are gone", || temporary_files().is_subset(&files));
}

pub(crate) fn nothing_is_left_after_the_controller_is_killed(backend: &dyn Backend) {
    let marker = marker();
    let mounts = mounts();
    for _ in 0..3 {
        let mut controller = Command::new("/proc/self/exe")
            .args(["--exact", "leftovers::controller", "--nocapture"])
            .env(CONTROLLER, backend.name())
            .env(MARKER, &marker)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let lines = BufReader::new(controller.stdout.take().expect("piped")).lines();
        assert!(lines.map(|line| line.expect("read")).any(|line| line.ends_with("ready")), "the controller failed");
        let pid = controller.id();
        let family = descendants(pid as i32);
        assert!(family.len() >= 7, "a spawner, three boxes, three daemons: {family:?}");
        controller.kill().expect("killed");
        controller.wait().expect("collected");
        eventually("all its processes are gone", || family.iter().all(|pid| gone(*pid)));
        assert_eq!(sleepers(&marker), Vec::<i32>::new());
        eventually("its control groups are gone", || groups(pid).is_empty());
        assert_eq!(self::mounts(), mounts);
    }
}

/// The controller that is killed; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(name) = std::env::var(CONTROLLER) else { return };
    let marker = std::env::var(MARKER).expect("given with the backend");
    let backend = crate::fixture::open(&name).expect("opened");
    let mut all: Vec<_> = (0..3).map(|_| empty(backend.as_ref())).collect();
    for (_, sandbox) in &mut all {
        text(sandbox.as_mut(), &daemon(&marker));
    }
    eventually("the daemons run", || sleepers(&marker).len() == 3);
    println!("ready");
    text(all[0].1.as_mut(), "sleep 50");
}

/// Mounts of this machine that only a sandbox makes; others mount things meanwhile.
fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mounts").expect("read");
    let ours = |line: &&str| ["/.box", "upperdir=upper,", "userxattr"].iter().any(|name| line.contains(name));
    text.lines().filter(ours).map(str::to_owned).collect()
}

/// What the backend might have made among temporary files; others make and remove theirs meanwhile.
fn temporary_files() -> BTreeSet<PathBuf> {
    let files = fs::read_dir(std::env::temp_dir()).expect("listed").flatten();
    files.map(|file| file.path()).filter(|path| path.to_string_lossy().contains("basis")).collect()
}

/// Control groups that name `pid` as their maker.
fn groups(pid: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((directory, depth)) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("basis-") && name.contains(&format!("-{pid}-")) {
                found.push(entry.path());
            } else if depth < 8 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

/// All living processes below `root`.
fn descendants(root: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("listed").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let current = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == current).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}
