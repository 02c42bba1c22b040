//! A small repository, commit by commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use basis_gym::languages::{Toolchains, python};
use basis_gym::sources::git::{Commit, Repository, address};
use basis_gym::sources::history::Site;
use basis_gym::sources::language;
use basis_gym::tree::LayerStore;

/// A repository in a directory of its own, and a place for what is fetched from it.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
    downloads: tempfile::TempDir,
    toolchains: Toolchains,
    scratch: LayerStore,
}

impl Scene {
    /// An empty repository.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let downloads = tempfile::tempdir().expect("a directory");
        let scratch = LayerStore::open(downloads.path().join("scratch")).expect("a store");
        let search_path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
        let python = python::Toolchain::discover(None, &search_path).expect("all packs need a python3");
        let scene = Self { directory, downloads, toolchains: Toolchains { python, search_path }, scratch };
        scene.git(&["init", "--quiet", "--initial-branch", "main"]);
        scene
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs `git` in the repository, with nothing of the configuration of this machine; gives what it prints.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    pub(crate) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("git starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input).expect("git reads");
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("below the repository")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// Commits files as they are in `files` and everything else as it is.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        files.iter().for_each(|(path, text)| self.write(path, text));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--no-verify", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The repository as Basis sees it.
    pub(crate) fn open(&self) -> Repository {
        let address = address(&self.path().display().to_string()).expect("there is a repository");
        let downloads = LayerStore::open(self.downloads.path()).expect("a store");
        Repository::open(&address, None, &downloads).expect("it can be read")
    }

    /// Where programs are looked for.
    pub(crate) fn search_path(&self) -> Vec<PathBuf> {
        self.toolchains.search_path.clone()
    }

    /// The repository as one of some language, with what resolves packages.
    pub(crate) fn site<'a>(&'a self, repository: &'a Repository) -> Site<'a> {
        let tree = repository.snapshot(&repository.head).expect("it can be read").tree;
        Site { repository, language: language(&tree), toolchains: &self.toolchains, scratch: &self.scratch }
    }

    /// Its commits, newest first.
    pub(crate) fn commits(&self) -> (Repository, Vec<Commit>) {
        let repository = self.open();
        let commits = repository.commits(100, false).expect("it has a log");
        (repository, commits)
    }
}
