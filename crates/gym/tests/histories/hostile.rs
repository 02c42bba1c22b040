//! Repositories that want to lead elsewhere or run something.

use basis_gym::sources::git::{Repository, address};
use basis_gym::tree::LayerStore;

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
