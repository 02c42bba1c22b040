//! What the host sees of what was changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use basis_sandbox::{Backend, ChangeKind, FileEdit, Sandbox};

use crate::fixture::{layer, put, spec, text};

/// Runs a script over a layer and returns the changes, one a line.
fn changes(backend: &dyn Backend, files: &[(&str, &str)], script: &str) -> Vec<String> {
    let lower = layer(files);
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    text(sandbox.as_mut(), script);
    let live = list(sandbox.as_mut());
    sandbox.freeze().expect("frozen");
    assert_eq!(list(sandbox.as_mut()), live, "freezing changes nothing");
    live
}

fn list(sandbox: &mut dyn Sandbox) -> Vec<String> {
    let changes = sandbox.changes().expect("listed");
    let describe = |kind: &ChangeKind| match kind {
        ChangeKind::File { edit: FileEdit::Added, size, mode } => format!("added {size} {mode:o}"),
        ChangeKind::File { edit: FileEdit::Content, size, mode } => format!("changed {size} {mode:o}"),
        ChangeKind::File { edit: FileEdit::Mode, size, mode } => format!("mode {size} {mode:o}"),
        ChangeKind::Directory { mode } => format!("directory {mode:o}"),
        ChangeKind::Deleted => "deleted".into(),
        ChangeKind::Link { target } => format!("link to {target}"),
        ChangeKind::Special => "special".into(),
    };
    changes.iter().map(|change| format!("{}: {}", change.path, describe(&change.kind))).collect()
}

pub(crate) fn nothing_changed_is_no_change(backend: &dyn Backend) {
    let files = [("a", "text"), ("d/b", "more"), ("e/c", "")];
    let script =
        "touch a d; chmod 700 d/b; chmod 644 d/b; cp a x; mv x a; cp -r e f; rm -r e; mv f e; mkdir empty; cat a";
    assert_eq!(changes(backend, &files, script), Vec::<String>::new());
}

pub(crate) fn each_kind_of_change_is_listed(backend: &dyn Backend) {
    let files = [
        ("changed", "1"),
        ("mode", "2"),
        ("gone", "3"),
        ("dir/x", ""),
        ("dir/sub/y", ""),
        ("moved/z", "4"),
        ("open/x", ""),
    ];
    let script = "echo new > changed; chmod 755 mode; rm gone; rm -r dir; mv moved there; mkdir -p n/ew; echo > n/ew/file; \
                  ln -s /etc/passwd link; mkfifo fifo; rm fifo; mkfifo pipe; chmod 777 open; ln -s here relink; ln -sf there relink";
    let expected = [
        "changed: changed 4 644",
        "dir: deleted",
        "gone: deleted",
        "link: link to /etc/passwd",
        "mode: mode 1 755",
        "moved: deleted",
        "n/ew/file: added 1 644",
        "open: directory 777",
        "pipe: special",
        "relink: link to there",
        "there/z: added 1 644",
    ];
    assert_eq!(changes(backend, &files, script), expected);
}

pub(crate) fn a_directory_made_anew_shows_what_is_gone(backend: &dyn Backend) {
    let files = [("d/same", "1"), ("d/gone", "2"), ("d/sub/deep", "3"), ("d/sub/kept", "4"), ("d/other/x", "5")];
    let script = "rm -r d; mkdir -p d/sub; printf 1 > d/same; printf 4 > d/sub/kept; printf 6 > d/new";
    let expected = ["d/gone: deleted", "d/new: added 1 644", "d/other: deleted", "d/sub/deep: deleted"];
    assert_eq!(changes(backend, &files, script), expected);
}

pub(crate) fn a_file_and_a_directory_can_take_each_others_place(backend: &dyn Backend) {
    let files = [("dir/x", "1"), ("file", "2"), ("other/y", "3")];
    let script =
        "rm -r dir; printf now > dir; rm file; mkdir file; printf in > file/side; rm -r other; ln -s dir other";
    let expected = [
        "dir: deleted",
        "dir: added 3 644",
        "file: deleted",
        "file/side: added 2 644",
        "other: deleted",
        "other: link to dir",
    ];
    assert_eq!(changes(backend, &files, script), expected);
}

pub(crate) fn the_layers_stay_as_they_were(backend: &dyn Backend) {
    let lower = layer(&[("a", "1"), ("d/b", "2"), ("d/c", "3")]);
    let upper = layer(&[("d/b", "4"), ("e", "5")]);
    symlink("a", lower.path().join("link")).expect("linked");
    fs::set_permissions(lower.path().join("a"), PermissionsExt::from_mode(0o755)).expect("set");
    let before = [picture(lower.path()), picture(upper.path())];
    let mut sandbox = backend.create(&spec(&[&lower, &upper])).expect("created");
    let script = "echo x >> a; chmod 777 d d/c; : > d/b; truncate -s 9 e; mv d f; rm link; ln f/c g; touch -d 1990-01-01 a; \
                  for i in *; do rm -rf $i; done; echo z > a";
    text(sandbox.as_mut(), script);
    sandbox.write("d/b", b"from the host").expect("written");
    sandbox.destroy().expect("destroyed");
    assert_eq!([picture(lower.path()), picture(upper.path())], before);
}

/// Everything about a tree that a sandbox could have changed: modes, owners, times, link targets, bytes.
fn picture(root: &Path) -> BTreeMap<String, (u32, u32, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let data = fs::symlink_metadata(&path).expect("read");
        let bytes = if data.is_symlink() {
            fs::read_link(&path).expect("read").to_string_lossy().into_owned().into_bytes()
        } else if data.is_dir() {
            left.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("read").path()));
            Vec::new()
        } else {
            fs::read(&path).expect("read")
        };
        all.insert(path.display().to_string(), (data.mode(), data.uid(), data.mtime_nsec(), bytes));
    }
    all
}

pub(crate) fn hostile_trees_are_listed_in_bounded_time(backend: &dyn Backend) {
    let lower = layer(&[("kept", "")]);
    put(&lower.path().join("kept"), "x");
    let mut sandbox = backend.create(&spec(&[&lower])).expect("created");
    let script = "mkdir -p $(printf 'd/%.0s' $(seq 300)); mkdir wide; cd wide; touch $(seq 3000); cd ..; \
                  touch $'bad\\xff'; mkdir $'dir\\xff'; ln -s . loop; truncate -s 50M kept";
    text(sandbox.as_mut(), script);
    sandbox.freeze().expect("frozen");
    let changes = list(sandbox.as_mut());
    let count = |end: &str| changes.iter().filter(|change| change.ends_with(end)).count();
    assert_eq!(count(": special"), 3, "two names that are not text and the end of what is too deep");
    assert_eq!(count(": added 0 644"), 3000);
    assert_eq!(count(": changed 52428800 644"), 1);
    assert_eq!(changes.len(), 3005);
}
