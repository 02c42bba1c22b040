//! Large files, many files, odd names, odd trees, and the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use basis_sandbox::{Backend, ChangeKind, FileEdit};

use crate::fixture::{empty, fails, limited, text};

pub(crate) fn ten_megabytes_go_in_and_out(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let bytes: Vec<u8> = (0..10_u32 << 20).map(|index| (index ^ (index >> 8)) as u8).collect();
    sandbox.write("large", &bytes).expect("written");
    assert!(sandbox.read("large", 10 << 20).expect("read") == bytes);
    assert_eq!(text(sandbox.as_mut(), "stat -c %s large; cat large | wc -c"), "10485760\n10485760\n");
}

pub(crate) fn a_hundred_thousand_files_are_listed(backend: &dyn Backend) {
    let (_layer, mut sandbox) = limited(backend, |limits| {
        (limits.files, limits.memory_bytes) = (150_000, 1 << 30);
    });
    text(sandbox.as_mut(), "for d in $(seq 100); do mkdir $d; (cd $d; seq 1000 | xargs touch); done");
    let changes = sandbox.changes().expect("listed");
    assert_eq!(changes.len(), 100_000);
    assert!(changes.is_sorted_by(|one, other| one.path < other.path));
}

pub(crate) fn names_are_any_text(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let names = ["ü", "日本語", "🦀 x", "-rf", "a\nb", "\"'$`\\", " ", "\u{1b}[31m", "e\u{301}"];
    for (index, name) in names.iter().enumerate() {
        sandbox.write(name, &[index as u8]).expect("written");
    }
    let long = "x".repeat(255);
    sandbox.write(&format!("d/{long}"), b"long").expect("written");
    for (index, name) in names.iter().enumerate() {
        assert_eq!(sandbox.read(name, 1).expect("read"), [index as u8], "{name}");
    }
    assert!(sandbox.write(&format!("{long}x"), b"").is_err());
    let listed: Vec<String> = sandbox.changes().expect("listed").into_iter().map(|change| change.path).collect();
    assert_eq!(listed.len(), names.len() + 1);
    assert!(names.iter().all(|name| listed.iter().any(|path| path == name)));
}

pub(crate) fn names_that_are_not_text_are_listed_as_such(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "touch $'\\xff' $'a\\xc3'; mkdir $'\\xfe'; touch $'\\xfe'/x; echo fine > fine");
    let changes = sandbox.changes().expect("listed");
    assert_eq!(changes.iter().filter(|change| change.kind == ChangeKind::Special).count(), 3);
    assert_eq!(changes.len(), 4);
}

pub(crate) fn files_with_holes_cost_what_is_in_them(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "truncate -s 60M one; truncate -s 60M two; printf end >> one");
    let changes = sandbox.changes().expect("listed");
    let size = (60 << 20) + 3;
    assert_eq!(changes[0].kind, ChangeKind::File { edit: FileEdit::Added, size, mode: 0o644 });
    assert!(sandbox.read("one", 1 << 20).is_err(), "longer than wanted");
    let bytes = sandbox.read("one", size).expect("read");
    assert!(bytes.ends_with(b"\0end") && bytes.len() as u64 == size);
    fails(sandbox.as_mut(), "truncate -s 1T three");
}

pub(crate) fn whatever_modes_are_left_behind_is_listed(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    text(sandbox.as_mut(), "mkdir -p a/b/c; echo 1 > a/b/c/f; echo 2 > g; chmod 0 a/b/c/f a/b/c a/b a g; chmod 0 .");
    for frozen in [false, true] {
        if frozen {
            sandbox.freeze().expect("frozen");
        }
        assert_eq!(sandbox.read("a/b/c/f", 10).expect("read"), b"1\n");
        let paths: Vec<String> = sandbox.changes().expect("listed").into_iter().map(|change| change.path).collect();
        assert_eq!(paths, ["a/b/c/f", "g"]);
    }
}

pub(crate) fn the_clock_is_that_of_the_machine_and_cannot_be_set(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let before = now();
    let inside: u64 = text(sandbox.as_mut(), "date +%s").trim().parse().expect("a number");
    assert!((before..=now()).contains(&inside));
    fails(sandbox.as_mut(), "date -s 2000-01-01");
}
