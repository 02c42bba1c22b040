//! A commit taken apart: healthy tree, buggy files, tests that changed.

use std::collections::BTreeSet;

use super::changed::{Changes, changed_tests};
use super::places::{Version, places};
use super::report::{self, Secrets};
use crate::calendar::{date, next_month};
use crate::languages::rust::RustError;
use crate::languages::{self, Class, Language, Toolchains};
use crate::project::{Origin, Project, Revision};
use crate::record::Place;
use crate::sources::git::{Changed, Commit, Repository};
use crate::sources::{Find, SourceError, layout, project};
use crate::tree::{LayerStore, Tree};

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
    /// Files whose tests the commit changed, without the tests in them that it left alone where these can be left out.
    pub tests: Tree,
    /// The same on the buggy tree, where a file may hold both code and tests.
    pub tests_buggy: Tree,
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
            SourceError::NoPackage(_) | SourceError::Rust(RustError::Manifest { .. }) => "no_package",
            SourceError::NoTests(_) | SourceError::NoRustTests(_) | SourceError::NoScriptTests { .. } => "no_tests",
            SourceError::Rust(_) | SourceError::Malformed { .. } => "unresolved",
            _ => "unreadable",
        };
        Self { code, detail: error.to_string() }
    }
}

/// Where commits are taken apart.
pub struct Site<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// What its revision is written in; commits of other times are held back.
    pub language: &'static dyn Language,
    /// What resolves the packages that a commit needs.
    pub toolchains: &'a Toolchains,
    /// Where what was resolved is kept.
    pub scratch: &'a LayerStore,
}

/// One changed source file on both sides.
struct Source {
    path: String,
    /// With the tests of the commit, where it holds some.
    before: String,
    after: String,
}

/// The source files that a commit changed.
#[derive(Default)]
struct Sources {
    /// Those whose code differs.
    code: Vec<Source>,
    /// Those in which only tests differ, as they are with these tests.
    tests: Tree,
}

/// Takes a commit apart.
///
/// # Errors
/// [`Unfit`] with the reason why it is no candidate.
pub fn screen(site: &Site, commit: &Commit) -> Result<Fix, Unfit> {
    let (repository, anatomy) = (site.repository, site.language.anatomy());
    let sources = sources(site, commit)?;
    let (found, lines) = differences(site.language, &sources.code);
    if lines > MOST_LINES {
        return unfit("too_long", format!("{lines} lines of code differ, at most {MOST_LINES} may"));
    }
    if found.is_empty() {
        return unfit("no_code", "only comments and texts differ");
    }
    let mut base = repository.snapshot(&commit.parent)?.tree;
    let healthy = healthy(site, commit, &base, &sources)?;
    let revision = Revision { commit: commit.id.clone(), date: date(commit.time), is_fix: true };
    let origin = Origin { revision: Some(revision), ..Origin::new("git", repository.url.clone()) };
    let find = Find { folder: repository.name(), origin, before: Some(next_month(commit.time)) };
    let project = project(healthy, find, site.toolchains, site.scratch)?;
    if languages::of_runner(project.tests.runner).name() != site.language.name() {
        return unfit("no_package", format!("it is no project of {}", site.language.name()));
    }
    let mut buggy = Tree::new();
    sources.code.iter().for_each(|source| buggy.insert(source.path.clone(), source.before.as_str()));
    let names = |text: fn(&Source) -> &str| -> BTreeSet<String> {
        sources.code.iter().flat_map(|it| anatomy.definitions(&it.path, text(it))).collect()
    };
    let new_names = &names(|source| &source.after) - &names(|source| &source.before);
    let report = report::clean(&repository.message(&commit.id)?, &secrets(site.language, &sources.code, &base));
    let Changes { after: tests, buggy: tests_buggy, before: tests_before } =
        changed_tests(site.language, commit, (&project, &buggy, &base));
    if tests.is_empty() {
        return unfit("no_test", "it changes no code of a test");
    }
    // Everything runs with the packages of the commit.
    let decides = |path: &&str| anatomy.class(path) == Class::Config;
    project.tree.paths().filter(decides).for_each(|path| base.insert(path, project.tree.get(path).unwrap_or_default()));
    Ok(Fix { project, buggy, base, places: found, tests, tests_buggy, tests_before, new_names, report })
}

/// Where code differs, and on how many lines.
fn differences(language: &dyn Language, sources: &[Source]) -> (Vec<Place>, usize) {
    let mut found = Vec::new();
    let mut lines = 0;
    for source in sources {
        let version = Version { language, path: &source.path, healthy: &source.after, buggy: &source.before };
        let (own, count) = places(&version);
        found.extend(own);
        lines += count;
    }
    (found, lines)
}

/// The changed sources, unless the commit is of another kind than repairs are.
fn sources(site: &Site, commit: &Commit) -> Result<Sources, Unfit> {
    if commit.parent.is_empty() {
        return unfit("first_commit", "nothing was there before");
    }
    let (language, anatomy) = (site.language, site.language.anatomy());
    let of = |wanted: Class| {
        let own = commit.changes.iter().filter_map(|changed| Some((changed.path.as_deref()?, changed)));
        own.filter(move |(path, _)| anatomy.class(path) == wanted).collect::<Vec<(&str, &Changed)>>()
    };
    let changed = of(Class::Source);
    if changed.is_empty() {
        return unfit("no_source", "it changes no source file");
    }
    let is_code = |path: &str| language.endings().iter().any(|ending| path.ends_with(ending));
    let has_test_file = of(Class::Test).iter().any(|(path, changed)| is_code(path) && changed.after.is_some());
    if !has_test_file && !language.tests_in_sources() {
        return unfit("no_test", "it changes no test");
    }
    if changed.len() > MOST_FILES {
        return unfit("too_many_files", format!("it changes {} source files, at most {MOST_FILES} may", changed.len()));
    }
    let mut sources = Sources::default();
    let mut has_inner_test = false;
    for (path, changed) in changed {
        let (Some(before), Some(after)) = (&changed.before, &changed.after) else {
            return unfit("adds_or_removes", format!("it adds or removes `{path}`"));
        };
        let text = |object: &str| {
            String::from_utf8(site.repository.blob(object)?)
                .map_err(|_| Unfit { code: "not_text", detail: format!("`{path}` is not UTF-8") })
        };
        let (before, after) = (text(before)?, text(after)?);
        let is_inner = anatomy.inner_tests(&before) != anatomy.inner_tests(&after);
        has_inner_test |= is_inner;
        let tested = anatomy.with_inner_tests(&before, &after);
        if !anatomy.same_code(path, &before, &after) {
            if !anatomy.is_valid(path, &before) || !anatomy.is_valid(path, &after) {
                return unfit("syntax", format!("`{path}` has syntax errors for {}", language.name()));
            }
            sources.code.push(Source { path: path.to_owned(), before: tested, after });
        } else if is_inner {
            sources.tests.insert(path, tested);
        }
    }
    match sources.code.is_empty() {
        _ if !has_test_file && !has_inner_test => unfit("no_test", "it changes no test"),
        true => unfit("no_code", "only comments and texts differ"),
        false => Ok(sources),
    }
}

/// The tree before the commit with its tests, its configuration and its sources.
fn healthy(site: &Site, commit: &Commit, base: &Tree, sources: &Sources) -> Result<Tree, Unfit> {
    let mut tree = base.clone();
    for changed in &commit.changes {
        let Some(path) = changed.path.as_deref() else { continue };
        let class = site.language.anatomy().class(path);
        if matches!(class, Class::Test | Class::Config) && !layout::is_ignored(path) {
            match &changed.after {
                Some(object) => tree.insert(path, site.repository.blob(object)?),
                None => drop(tree.remove(path)),
            }
        }
    }
    sources.code.iter().for_each(|source| tree.insert(source.path.clone(), source.after.as_str()));
    Ok(tree.with(&sources.tests))
}

/// What a report must not tell: the files of the repair, and what only the repaired code has.
fn secrets(language: &dyn Language, sources: &[Source], base: &Tree) -> Secrets {
    let mut secrets = Secrets::default();
    for source in sources {
        let name = source.path.rsplit('/').next().unwrap_or(&source.path);
        secrets.names.extend([source.path.clone(), name.to_owned()]);
        secrets.names.extend(language.anatomy().modules(&source.path));
        let known: BTreeSet<&str> = source.before.lines().map(str::trim).collect();
        let added = source.after.lines().map(str::trim).filter(|line| !line.is_empty() && !known.contains(line));
        secrets.lines.extend(added.map(str::to_owned));
    }
    let known: BTreeSet<&str> = base
        .paths()
        .filter(|path| language.endings().iter().any(|ending| path.ends_with(ending)))
        .filter_map(|path| base.text(path))
        .flat_map(report::words)
        .collect();
    let is_name = |word: &&str| word.contains('_') || word.chars().skip(1).any(char::is_uppercase);
    let lines = secrets.lines.iter().flat_map(|line| report::words(line));
    secrets.words = lines.filter(is_name).filter(|word| !known.contains(word)).map(str::to_owned).collect();
    secrets
}
