//! What can be wrong with a place that a project is taken from.

use std::path::PathBuf;

/// Why a source gives no project.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such directory.
    #[error("`{0}` is not a directory; name one with a Python or JavaScript project, or `pypi:<name>` or `npm:<name>`")]
    NotADirectory(PathBuf),
    /// There is no module or package in it.
    #[error("`{0}` has no Python package or module; expected one at the top or in `src`")]
    NoPackage(String),
    /// There are no tests in it.
    #[error(
        "`{0}` has no tests; expected files called `test_*.py` or `*_test.py`; name a directory with its tests, such as a checkout"
    )]
    NoTests(String),
    /// There are no tests of JavaScript in it that can be run.
    #[error(
        "`{project}` has no tests for `node:test`, vitest, jest or mocha{others}; name a directory with its tests, such as a checkout: most packages of npm are published without"
    )]
    NoScriptTests {
        /// The project.
        project: String,
        /// What it uses instead, in parentheses, or the empty string.
        others: String,
    },
    /// It holds several packages.
    #[error("`{project}` is a workspace of several packages ({members}); name the directory of one of them")]
    Workspace {
        /// The workspace.
        project: String,
        /// Where they are, as its manifest says.
        members: String,
    },
    /// The package was named in another way than `name` or `name@version`.
    #[error("`npm:{0}` is not `npm:<name>` or `npm:<name>@<version>`")]
    NpmRequirement(String),
    /// The package could not be fetched.
    #[error("`npm:{requirement}` could not be fetched: {reason}")]
    FetchNpm {
        /// What was asked for.
        requirement: String,
        /// Why not, in one line.
        reason: String,
    },
    /// The package was named in another way than `name` or `name==version`.
    #[error("`pypi:{0}` is not `pypi:<name>` or `pypi:<name>==<version>`")]
    Requirement(String),
    /// The package could not be fetched.
    #[error("`pypi:{requirement}` could not be fetched: {reason}")]
    Fetch {
        /// What was asked for.
        requirement: String,
        /// Why not, in one line.
        reason: String,
    },
    /// A crate was named in another way than `name` or `name@version`.
    #[error("`crate:{0}` is not `crate:<name>` or `crate:<name>@<version>`")]
    Crate(String),
    /// There are no tests in a crate.
    #[error(
        "`{0}` has no tests; expected functions with a `#[test]` attribute; packages of the registry often leave theirs out, a checkout has them"
    )]
    NoRustTests(String),
    /// A crate cannot be understood or fetched.
    #[error(transparent)]
    Rust(#[from] crate::languages::rust::RustError),
    /// A revision was asked for of something that has none.
    #[error("`{0}` has no revisions; name a git repository, or leave the revision out")]
    NoHistory(String),
    /// A repository could not be read.
    #[error("`{what}` cannot be read: {reason}")]
    Git {
        /// The repository, or a part of it.
        what: String,
        /// Why not, in one line.
        reason: String,
    },
    /// A file of the project that must be understood is not well-formed.
    #[error("`{path}`: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file-system error; its message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
