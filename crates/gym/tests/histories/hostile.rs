//! Repositories that want to lead elsewhere or run something.

use basis_gym::sources::git::{Repository, address};
use basis_gym::tree::LayerStore;

use std::time::Duration;

use crate::lab;
use crate::repository::Scene;

#[test]
fn links_submodules_and_odd_names_are_left_out_with_a_reason() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("/etc/passwd", scene.path().join("link")).expect("a link");
    let odd: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"odd\xff.py".to_vec());
    std::fs::write(scene.path().join(odd), "x = 1\n").expect("written");
    std::fs::write(scene.path().join("large.bin"), vec![0; 5 << 20]).expect("written");
    let head = scene.commit("start", &[("pkg/a.py", "x = 1\n")]);
    scene.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},other")]);
    scene.git(&["commit", "--quiet", "--message", "a submodule"]);
    let repository = scene.open();
    let snapshot = repository.snapshot(&repository.head).expect("it can be read");
    assert_eq!(snapshot.tree.paths().collect::<Vec<_>>(), ["pkg/a.py"]);
    let reasons: Vec<(&str, &str)> = snapshot.left_out.iter().map(|it| (it.path.as_str(), it.reason)).collect();
    let expected = [
        ("large.bin", "is longer than 4 MiB"),
        ("link", "is a symbolic link"),
        ("odd\u{fffd}.py", "its name is not UTF-8"),
        ("other", "is a submodule"),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_made_up_tree_does_not_lead_out_of_the_project() {
    let scene = Scene::new();
    let blob = scene.git_with(&["hash-object", "-w", "--stdin"], b"evil = 1\n");
    let binary: Vec<u8> =
        (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).expect("hex")).collect();
    let entry = |name: &str| [format!("100644 {name}\0").as_bytes(), &binary].concat();
    let tree: Vec<u8> = [entry(".."), entry("a\\b.py"), entry("good.py")].concat();
    let tree = scene.git_with(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &tree);
    let commit = scene.git(&["commit-tree", &tree, "-m", "made up"]);
    scene.git(&["update-ref", "refs/heads/main", &commit]);
    let repository = scene.open();
    let snapshot = repository.snapshot(&commit).expect("it can be read");
    assert_eq!(snapshot.tree.paths().collect::<Vec<_>>(), ["good.py"]);
    assert!(snapshot.left_out.iter().all(|it| it.reason == "its name leads out of the tree"));
    assert_eq!(snapshot.left_out.len(), 2);
}

#[test]
fn neither_hooks_nor_filters_nor_drivers_of_a_repository_run() {
    let scene = Scene::new();
    let witness = scene.path().join("witness");
    let touch = format!("touch '{}'", witness.display());
    scene.commit("start", &[(".gitattributes", "* filter=evil diff=evil\n"), ("pkg/a.py", "x = 1\n")]);
    scene.commit("next", &[("pkg/a.py", "x = 2\n")]);
    for key in ["filter.evil.smudge", "filter.evil.clean", "diff.evil.command", "diff.evil.textconv", "diff.external"] {
        scene.git(&["config", key, &touch]);
    }
    for key in ["core.fsmonitor", "core.pager", "core.sshCommand", "uploadpack.packObjectsHook", "credential.helper"] {
        scene.git(&["config", key, &format!("!{touch}")]);
    }
    for hook in ["post-checkout", "pre-auto-gc", "reference-transaction", "post-merge", "update", "pre-receive"] {
        let path = scene.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, format!("#!/bin/sh\n{touch}\n")).expect("written");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    }
    let (repository, commits) = scene.commits();
    assert_eq!(commits.len(), 2);
    assert_eq!(repository.snapshot(&commits[0].id).expect("a tree").tree.text("pkg/a.py"), Some("x = 2\n"));
    assert_eq!(repository.message(&commits[1].id).expect("a message").trim(), "start");
    assert!(!witness.exists(), "something of the repository was run");
}

#[test]
fn a_tree_of_a_hundred_thousand_files_is_refused_with_both_numbers() {
    let scene = Scene::new();
    let blob = scene.git_with(&["hash-object", "-w", "--stdin"], b"x = 1\n");
    let entries: String = (0..100_000).map(|at| format!("100644 {blob} 0\tpkg/a{at}.py\n")).collect();
    scene.git_with(&["update-index", "--index-info"], entries.as_bytes());
    scene.git(&["commit", "--quiet", "--message", "many"]);
    let repository = scene.open();
    let told = repository.snapshot(&repository.head).expect_err("it is too large").to_string();
    assert!(told.contains("it has 100000 files, at most 20000 are read"), "{told}");
}

#[test]
fn suites_that_hang_fork_or_delete_reach_nothing_but_their_sandbox() {
    let Some(backend) = lab::backend() else { return };
    let buggy = "def low(value):\n    return value\n";
    let healthy = "def low(value):\n    return max(value, 0)\n";
    let hang = "    while True:\n        pass\n";
    let fork = "    import os\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass\n";
    let delete = "    import shutil\n    for place in ['/repo', '/opt/basis', '/tmp']:\n        shutil.rmtree(place, ignore_errors=True)\n";
    let soon = Duration::from_secs(10);
    for (evil, makes_one, wall) in [(hang, false, soon), (fork, false, soon), (delete, true, lab::WALL)] {
        let scene = Scene::new();
        let witness = scene.path().join("pkg/a.py");
        scene.commit("start", &[("pkg/__init__.py", ""), ("pkg/a.py", buggy), ("tests/test_a.py", "")]);
        let tests = format!(
            "from pkg.a import low\n\n\ndef test_evil():\n    if low(-1) == -1:\n        evil()\n    assert low(-1) == 0\n\n\n\
             def test_high():\n    assert low(3) == 3\n\n\ndef evil():\n{evil}"
        );
        scene.commit("repair", &[("pkg/a.py", healthy), ("tests/test_a.py", &tests)]);
        let outcome = lab::proved(backend.as_ref(), &scene, wall);
        // Whoever deletes only deletes what a sandbox was given: a copy.
        assert_eq!(outcome.is_ok(), makes_one, "{evil}: {:?}", outcome.err());
        assert_eq!(std::fs::read_to_string(&witness).expect("it is there"), healthy);
        let (repository, commits) = scene.commits();
        assert!(repository.snapshot(&commits[0].id).expect("a tree").tree.contains("pkg/a.py"));
    }
}

#[test]
fn what_a_build_wants_from_the_network_is_not_there() {
    let Some(backend) = lab::backend() else { return };
    let build = "fn main() { std::net::TcpStream::connect(\"1.1.1.1:80\").expect(\"the network\"); }\n";
    let manifest = "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\nbuild = \"build.rs\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
    let tests = "#[test]\nfn low() { assert_eq!(a::low(-1), 0); }\n";
    let source = "pub fn low(value: i64) -> i64 { value }\n";
    let scene = Scene::new();
    scene.commit(
        "start",
        &[("Cargo.toml", manifest), ("Cargo.lock", lock), ("build.rs", build), ("src/lib.rs", source)],
    );
    scene.commit("repair", &[("src/lib.rs", &source.replace("{ value }", "{ value.max(0) }")), ("tests/a.rs", tests)]);
    let told = lab::proved(backend.as_ref(), &scene, lab::WALL).expect_err("it cannot be built");
    assert_eq!(told.code(), "nothing_captured", "{told}");
}

#[test]
fn addresses_that_run_commands_and_unknown_revisions_are_refused() {
    let scene = Scene::new();
    scene.commit("start", &[("a.py", "")]);
    let directory = tempfile::tempdir().expect("a directory");
    let downloads = LayerStore::open(directory.path()).expect("a store");
    let witness = directory.path().join("witness");
    let open = |address: &str, revision: Option<&str>| {
        Repository::open(address, revision, &downloads).err().expect("refused").to_string()
    };
    let command = format!("ext::sh -c touch% {}", witness.display());
    assert!(open(&command, None).contains("transport 'ext' not allowed"));
    assert!(open(&format!("--upload-pack=touch {}", witness.display()), None).contains("cannot be read"));
    assert!(!witness.exists());
    let here = address(&scene.path().display().to_string()).expect("there is a repository");
    assert!(open(&here, Some("no-such-branch")).contains("no revision `no-such-branch`; name a branch"));
    assert!(open(&here, Some("--exec=x")).contains("no revision"));
    assert!(open("file:///nowhere/at/all", None).contains("nowhere"));
}
