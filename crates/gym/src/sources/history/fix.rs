//! A commit taken apart: healthy tree, buggy files, tests that changed.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{Class, class};
use super::places::places;
use super::report::{self, Secrets};
use crate::calendar::{date, next_month};
use crate::languages::python::essence::{definitions, same_code};
use crate::languages::python::syntax::{functions, has_tests, is_valid, remove_tests};
use crate::project::{Origin, Project, Revision, is_conftest};
use crate::record::{Place, TestId};
use crate::sources::git::{Changed, Commit, Repository};
use crate::sources::{SourceError, layout, path};
use crate::tree::Tree;

/// A repair is at most this large.
const MOST_FILES: usize = 5;
const MOST_LINES: usize = 200;

/// A commit that may have repaired something.
pub struct Fix {
    /// The project as the commit left it, but for what is neither code nor test.
    pub project: Project,
    /// The changed source files as they were before.
    pub buggy: Tree,
    /// The whole tree before the commit.
    pub base: Tree,
    /// Where the sources differ.
    pub places: Vec<Place>,
    /// Test files that the commit changed, without the tests in them that it left alone.
    pub tests: Tree,
    /// The same as they were before it.
    pub tests_before: Tree,
    /// Functions, methods and classes that the commit brought.
    pub new_names: BTreeSet<String>,
    /// What people wrote about it, as far as it can be shown.
    pub report: Option<String>,
}

/// Why a commit is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// A short code, for counting.
    pub code: &'static str,
    /// One line.
    pub detail: String,
}

fn unfit<T>(code: &'static str, detail: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit { code, detail: detail.into() })
}

impl From<SourceError> for Unfit {
    fn from(error: SourceError) -> Self {
        let code = match error {
            SourceError::NoPackage(_) => "no_package",
            SourceError::NoTests(_) => "no_tests",
            _ => "unreadable",
        };
        Self { code, detail: error.to_string() }
    }
}

/// One changed source file on both sides.
struct Source {
    path: String,
    before: String,
    after: String,
}

/// Takes a commit apart.
///
/// # Errors
/// [`Unfit`] with the reason why it is no candidate.
pub fn screen(repository: &Repository, commit: &Commit) -> Result<Fix, Unfit> {
    let sources = sources(repository, commit)?;
    let mut found = Vec::new();
    let mut lines = 0;
    for source in &sources {
        let (own, count) = places(&source.path, &source.after, &source.before);
        found.extend(own);
        lines += count;
    }
    if lines > MOST_LINES {
        return unfit("too_long", format!("{lines} lines of code differ, at most {MOST_LINES} may"));
    }
    if found.is_empty() {
        return unfit("no_code", "only comments and texts differ");
    }
    let base = repository.snapshot(&commit.parent)?.tree;
    let healthy = healthy(repository, commit, &base, &sources)?;
    let day = date(commit.time);
    let revision = Revision { commit: commit.id.clone(), date: day, is_fix: true };
    let origin = Origin { revision: Some(revision), ..Origin::new("git", repository.url.clone()) };
    let mut project = path::project(healthy, &repository.name(), origin)?;
    project.tests.before = Some(next_month(commit.time));
    let mut buggy = Tree::new();
    sources.iter().for_each(|source| buggy.insert(source.path.clone(), source.before.as_str()));
    let names = |text: fn(&Source) -> &str| -> BTreeSet<String> {
        sources.iter().flat_map(|it| definitions(text(it))).collect()
    };
    let new_names = &names(|source| &source.after) - &names(|source| &source.before);
    let report = report::clean(&repository.message(&commit.id)?, &secrets(&sources, &base));
    let (tests, tests_before) = changed_tests(commit, &project, &base);
    if tests.is_empty() {
        return unfit("no_test", "it changes no code of a test");
    }
    Ok(Fix { project, buggy, base, places: found, tests, tests_before, new_names, report })
}

/// The changed sources, unless the commit is of another kind than repairs are.
fn sources(repository: &Repository, commit: &Commit) -> Result<Vec<Source>, Unfit> {
    if commit.parent.is_empty() {
        return unfit("first_commit", "nothing was there before");
    }
    let of = |wanted: Class| {
        let own = commit.changes.iter().filter_map(|changed| Some((changed.path.as_deref()?, changed)));
        own.filter(move |(path, _)| class(path) == wanted).collect::<Vec<(&str, &Changed)>>()
    };
    let changed = of(Class::Source);
    if changed.is_empty() {
        return unfit("no_source", "it changes no source file");
    }
    if !of(Class::Test).iter().any(|(path, changed)| path.ends_with(".py") && changed.after.is_some()) {
        return unfit("no_test", "it changes no test");
    }
    if changed.len() > MOST_FILES {
        return unfit("too_many_files", format!("it changes {} source files, at most {MOST_FILES} may", changed.len()));
    }
    let mut sources = Vec::new();
    for (path, changed) in changed {
        let (Some(before), Some(after)) = (&changed.before, &changed.after) else {
            return unfit("adds_or_removes", format!("it adds or removes `{path}`"));
        };
        let text = |object: &str| {
            String::from_utf8(repository.blob(object)?)
                .map_err(|_| Unfit { code: "not_text", detail: format!("`{path}` is not UTF-8") })
        };
        let (before, after) = (text(before)?, text(after)?);
        if !same_code(&before, &after) {
            if !is_valid(&before) || !is_valid(&after) {
                return unfit("not_python", format!("`{path}` has syntax errors for Python 3"));
            }
            sources.push(Source { path: path.to_owned(), before, after });
        }
    }
    match sources.is_empty() {
        true => unfit("no_code", "only comments and texts differ"),
        false => Ok(sources),
    }
}

/// The tree before the commit with its tests, its configuration and its sources.
fn healthy(repository: &Repository, commit: &Commit, base: &Tree, sources: &[Source]) -> Result<Tree, Unfit> {
    let mut tree = base.clone();
    for changed in &commit.changes {
        let Some(path) = changed.path.as_deref() else { continue };
        if matches!(class(path), Class::Test | Class::Config) && !layout::is_ignored(path) {
            match &changed.after {
                Some(object) => tree.insert(path, repository.blob(object)?),
                None => drop(tree.remove(path)),
            }
        }
    }
    sources.iter().for_each(|source| tree.insert(source.path.clone(), source.after.as_str()));
    Ok(tree)
}

/// The changed test files after and before the commit, without the tests that it left alone; whole files where it changed none of their
/// tests but what these use.
fn changed_tests(commit: &Commit, project: &Project, base: &Tree) -> (Tree, Tree) {
    let (mut after, mut before) = (Tree::new(), Tree::new());
    let changed = commit.changes.iter().filter_map(|changed| changed.path.as_deref());
    for path in changed.filter(|path| !is_conftest(path) && project.tests.files.iter().any(|file| file == path)) {
        let (Some(new), old) = (project.tree.text(path), base.text(path).unwrap_or_default()) else { continue };
        if same_code(old, new) {
            continue;
        }
        let known = test_bodies(old);
        let same: Vec<TestId> = test_bodies(new)
            .iter()
            .filter(|(name, body)| known.get(*name) == Some(body))
            .map(|(name, _)| format!("{path}::{}", name.replace('.', "::")))
            .collect();
        let without = |text: &str| remove_tests(text, &same);
        after.insert(path, without(new).unwrap_or_else(|| new.to_owned()));
        if has_tests(old) {
            before.insert(path, without(old).unwrap_or_else(|| old.to_owned()));
        }
    }
    (after, before)
}

/// The text of every test function by its name, `test_x` or `Class.test_x`.
fn test_bodies(source: &str) -> BTreeMap<String, &str> {
    let tests = functions(source).into_iter().filter(|span| span.name.starts_with("test"));
    tests.map(|span| (span.qualified(), &source[span.start..span.end])).collect()
}

/// What a report must not tell: the files of the repair, and what only the repaired code has.
fn secrets(sources: &[Source], base: &Tree) -> Secrets {
    let mut secrets = Secrets::default();
    for source in sources {
        let name = source.path.rsplit('/').next().unwrap_or(&source.path);
        secrets.names.extend([source.path.clone(), name.to_owned()]);
        let dotted = source.path.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
        // With and without the directory that modules are imported from.
        let module = dotted.split_once('.').filter(|(_, rest)| rest.contains('.')).map_or("", |(_, rest)| rest);
        secrets.names.extend([dotted.as_str(), module].into_iter().filter(|it| it.contains('.')).map(str::to_owned));
        let known: BTreeSet<&str> = source.before.lines().map(str::trim).collect();
        let added = source.after.lines().map(str::trim).filter(|line| !line.is_empty() && !known.contains(line));
        secrets.lines.extend(added.map(str::to_owned));
    }
    let known: BTreeSet<&str> = base
        .paths()
        .filter(|path| path.ends_with(".py"))
        .filter_map(|path| base.text(path))
        .flat_map(report::words)
        .collect();
    let is_name = |word: &&str| word.contains('_') || word.chars().skip(1).any(char::is_uppercase);
    let lines = secrets.lines.iter().flat_map(|line| report::words(line));
    secrets.words = lines.filter(is_name).filter(|word| !known.contains(word)).map(str::to_owned).collect();
    secrets
}
