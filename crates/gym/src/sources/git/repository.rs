//! A copy of a repository in the cache, from which nothing but objects is read.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::command::{git, run};
use super::log::{self, Commit};
use super::objects::Objects;
use super::tree::{self, Snapshot};
use super::write::{Draft, write};
use crate::sources::SourceError;
use crate::tree::LayerStore;

/// Where the revision that a repository shows by itself is kept.
const HEAD: &str = "refs/basis/head";

/// A repository at one revision.
pub struct Repository {
    directory: PathBuf,
    /// Where it was fetched from.
    pub url: String,
    /// The commit that was asked for.
    pub head: String,
    /// When it was committed, in seconds since 1970.
    pub time: u64,
    objects: Mutex<Objects>,
}

/// The address of the repository that a locator names, if it names one: `git:<address>`, an address that ends in `.git`, or a directory
/// with a repository in it.
pub fn address(locator: &str) -> Option<String> {
    if let Some(address) = locator.strip_prefix("git:") {
        return Some(local(Path::new(address)).unwrap_or_else(|| address.to_owned()));
    }
    let is_remote = ["https://", "ssh://", "file://"].iter().any(|start| locator.starts_with(start));
    if is_remote {
        return Some(locator.to_owned());
    }
    let path = Path::new(locator);
    let is_bare = || path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir();
    (path.join(".git").exists() || is_bare()).then(|| local(path)).flatten()
}

fn local(path: &Path) -> Option<String> {
    Some(format!("file://{}", path.canonicalize().ok()?.display()))
}

impl Repository {
    /// Brings a repository into `downloads`, or what is new in it, and finds a revision: a branch, a tag or a commit; the one that it shows
    /// by itself when none is named.
    ///
    /// # Errors
    /// [`SourceError::Git`] when it cannot be reached or has no such revision.
    pub fn open(url: &str, revision: Option<&str>, downloads: &LayerStore) -> Result<Self, SourceError> {
        let key = format!("git-{}", &blake3::hash(url.as_bytes()).to_hex()[..32]);
        let directory = downloads.build(&key, &|directory| {
            run(git(directory).args(["init", "--quiet", "--bare", "--template="]), "", url)
                .map(drop)
                .map_err(std::io::Error::other)
        })?;
        let wanted = revision.unwrap_or(HEAD);
        // A commit that is named by its whole hash does not change.
        let known = revision.filter(|name| name.len() == 40).and_then(|name| find(&directory, name, url).ok());
        if known.is_none() {
            fetch(&directory, url)?;
        }
        let head = known.map_or_else(|| find(&directory, wanted, url), Ok)?;
        let objects = Mutex::new(Objects::open(&directory)?);
        let repository = Self { directory, url: url.to_owned(), head, time: 0, objects };
        let time = repository.commits(1, true)?.first().map_or(0, |commit| commit.time);
        Ok(Self { time, ..repository })
    }

    /// The newest commits that the revision has in its past, merges left out unless wanted, with what they change.
    ///
    /// # Errors
    /// [`SourceError::Git`].
    pub fn commits(&self, most: usize, merges: bool) -> Result<Vec<Commit>, SourceError> {
        log::read(&self.directory, &self.head, most, merges, &self.url)
    }

    /// All files of a commit but those that no tree can hold.
    ///
    /// # Errors
    /// [`SourceError::Git`] when it cannot be read, or is too large.
    pub fn snapshot(&self, commit: &str) -> Result<Snapshot, SourceError> {
        tree::read(&self.directory, commit, &self.objects, &self.url)
    }

    /// A file of a commit by its object.
    ///
    /// # Errors
    /// [`SourceError::Git`].
    pub fn blob(&self, object: &str) -> Result<Vec<u8>, SourceError> {
        self.objects.lock().expect("no panic while locked").blob(object)
    }

    /// What was written about a commit.
    ///
    /// # Errors
    /// [`SourceError::Git`].
    pub fn message(&self, commit: &str) -> Result<String, SourceError> {
        let bytes = self.objects.lock().expect("no panic while locked").read(commit, "commit")?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.split_once("\n\n").map_or_else(String::new, |(_, message)| message.to_owned()))
    }

    /// A commit as it is stored, with what it changes.
    ///
    /// # Errors
    /// [`SourceError::Git`] when it is not there.
    pub fn commit(&self, id: &str) -> Result<Commit, SourceError> {
        let id = find(&self.directory, id, &self.url)?;
        let found = log::read(&self.directory, &id, 1, true, &self.url)?.pop();
        found.ok_or_else(|| SourceError::Git { what: self.url.clone(), reason: format!("it has no commit `{id}`") })
    }

    /// Keeps a tree as a commit of our copy, under a name that no fetch takes away.
    ///
    /// # Errors
    /// [`SourceError::Git`].
    pub fn keep(&self, name: &str, draft: &Draft<'_>) -> Result<Commit, SourceError> {
        let id = write(&self.directory, &format!("refs/basis/kept/{name}"), draft)?;
        self.commit(&id)
    }

    /// The last component of its address.
    pub fn name(&self) -> String {
        let path = self.url.trim_end_matches('/').trim_end_matches("/.git").trim_end_matches(".git");
        path.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).unwrap_or("project").to_owned()
    }
}

fn fetch(directory: &Path, url: &str) -> Result<(), SourceError> {
    let mut command = git(directory);
    command.args(["fetch", "--quiet", "--force", "--prune", "--no-recurse-submodules", "--no-write-fetch-head"]);
    command.args(["--update-shallow", "--no-tags", "--end-of-options", url]);
    command.args([&format!("+HEAD:{HEAD}"), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
    run(&mut command, "", url).map(drop)
}

fn find(directory: &Path, revision: &str, url: &str) -> Result<String, SourceError> {
    let mut command = git(directory);
    command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")]);
    let found = run(&mut command, "", url).map_err(|_| SourceError::Git {
        what: url.to_owned(),
        reason: format!("it has no revision `{revision}`; name a branch, a tag or a commit"),
    })?;
    let text = String::from_utf8_lossy(&found);
    // With `--end-of-options` some versions repeat it.
    Ok(text.lines().last().unwrap_or_default().trim().to_owned())
}
