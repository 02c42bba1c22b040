//! A pair of releases taken apart: the newer one, and the differences of code that can be taken back in it.

use std::collections::{BTreeMap, BTreeSet};

use super::hunks::{Hunk, hunks, undone};
use super::line::{Line, Pair};
use crate::languages::{self, Class, Language};
use crate::project::Project;
use crate::record::Place;
use crate::sources::history::{Unfit, Version, places};
use crate::tree::Tree;

/// Releases that differ at more places are other programs, rather than repaired ones.
const MOST_HUNKS: usize = 60;

/// What the newer release of a pair changed. Files that only one of both has stay as they are in the newer one.
pub struct Upgrade {
    /// The newer release.
    pub project: Project,
    /// Where its code differs from that of the older one.
    pub hunks: Vec<Hunk>,
}

/// Takes a pair apart.
///
/// # Errors
/// [`Unfit`] with the reason why nothing can be looked for in it.
pub fn screen(line: &Line, pair: &Pair) -> Result<Upgrade, Unfit> {
    let (project, older) = line.open(pair)?;
    let language = languages::of_runner(project.tests.runner);
    let anatomy = language.anatomy();
    let mut found = Vec::new();
    for path in project.tree.paths().filter(|path| anatomy.class(path) == Class::Source) {
        let (Some(newer), Some(older)) = (project.tree.text(path), older.text(path)) else { continue };
        let older = anatomy.with_inner_tests(older, newer);
        if !anatomy.same_code(path, newer, &older) {
            found.extend(hunks(language, path, newer, &older));
        }
    }
    let unfit = |code, detail: String| Err(Unfit { code, detail });
    match found.len() {
        0 => unfit("no_code", "no source file that both have differs in code".to_owned()),
        many if many > MOST_HUNKS => unfit("too_many_hunks", format!("{many} places differ, at most {MOST_HUNKS} may")),
        _ => Ok(Upgrade { project, hunks: found }),
    }
}

impl Upgrade {
    /// The files in which some differences are, with these taken back.
    pub fn without(&self, set: &BTreeSet<usize>) -> Tree {
        let mut by_path: BTreeMap<&str, Vec<&Hunk>> = BTreeMap::new();
        set.iter().map(|at| &self.hunks[*at]).for_each(|hunk| by_path.entry(&hunk.path).or_default().push(hunk));
        let mut tree = Tree::new();
        for (path, hunks) in by_path {
            let newer = self.project.tree.text(path).unwrap_or_default();
            // Tests near a difference stay those of the newer release.
            let text = self.language().anatomy().with_inner_tests(&undone(newer, hunks.into_iter()), newer);
            tree.insert(path, text);
        }
        tree
    }

    /// Where the newer release differs from one with some differences taken back, and on how many lines.
    pub fn places(&self, set: &BTreeSet<usize>) -> (Vec<Place>, usize) {
        let (mut found, mut lines) = (Vec::new(), 0);
        for (path, healthy, buggy) in self.versions(&self.without(set)) {
            let (own, count) = places(&Version { language: self.language(), path, healthy, buggy });
            found.extend(own);
            lines += count;
        }
        (found, lines)
    }

    /// Functions, methods and types that are not there with some differences taken back.
    pub fn new_names(&self, set: &BTreeSet<usize>) -> BTreeSet<String> {
        let anatomy = self.language().anatomy();
        let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
        for (path, healthy, buggy) in self.versions(&self.without(set)) {
            own.extend(anatomy.definitions(path, healthy));
            others.extend(anatomy.definitions(path, buggy));
        }
        &own - &others
    }

    fn language(&self) -> &'static dyn Language {
        languages::of_runner(self.project.tests.runner)
    }

    fn versions<'a>(&'a self, other: &'a Tree) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        other.paths().filter_map(|path| Some((path, self.project.tree.text(path)?, other.text(path)?)))
    }
}
