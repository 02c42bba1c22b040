//! The control: a healthy tree with a bug somewhere else. A script that complains about it looks for any change and not for the issue.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::script::{self, Exit};
use super::{Build, Rejection};
use crate::draft;
use crate::issue::{Issue, callee};
use crate::languages::{self, Authoring, functions, is_source};
use crate::record::{BugRecord, Mutation};
use crate::tree::{Tree, TreeId};

/// Other bugs that are tried.
const TRIES: usize = 6;

/// Files that make the buggy tree healthy but for one small mistake in a function that the issue's call does not show; `None` when there
/// is no such function.
pub(super) fn find(
    build: &Build,
    record: &BugRecord,
    issue: &Issue,
    (authoring, imports): (&dyn Authoring, &str),
    rng: &mut ChaCha8Rng,
) -> Result<Option<TreeId>, Rejection> {
    let path = &record.change.main().path;
    let shown = draft::shown(record, &record.buggy, &record.fail_to_pass);
    let witness = authoring.script(imports, &issue.call, &issue.expected);
    for site in elsewhere(record, issue, rng).into_iter().take(TRIES) {
        let text = |path: &str| record.fixed.text(path).unwrap_or_default().to_owned();
        let mut patch = Tree::new();
        patch.insert(path.clone(), text(path));
        patch.insert(site.path.clone(), site.apply(&text(&site.path)));
        let exit = script::run(build.workshop, &record.tests, &[&shown, &patch], &witness)
            .map_err(|cause| Rejection::new("infrastructure", format!("{cause:?}")))?;
        if exit == Exit::Correct {
            return draft::store(&build.workshop.blobs, &patch).map(Some);
        }
    }
    Ok(None)
}

/// One mistake for each function that neither is broken nor called by the issue, nor named in one that is; other files first.
fn elsewhere(record: &BugRecord, issue: &Issue, rng: &mut ChaCha8Rng) -> Vec<Mutation> {
    let broken = record.change.main().function.rsplit('.').next().unwrap_or_default();
    let near = [broken, callee(&issue.call)];
    let sources: Vec<(&str, &str)> = record
        .fixed
        .paths()
        .filter(|path| is_source(path))
        .filter_map(|path| Some((path, record.fixed.text(path)?)))
        .collect();
    let spans =
        sources.iter().flat_map(|(path, text)| functions(path, text).into_iter().map(move |span| (*text, span)));
    let own: String =
        spans.filter(|(_, it)| near.contains(&it.name.as_str())).map(|(text, it)| &text[it.start..it.end]).collect();
    let mut sites: Vec<Mutation> = sources.iter().flat_map(|(path, text)| languages::mutations(path, text)).collect();
    sites.shuffle(rng);
    let mut seen = BTreeSet::new();
    sites.retain(|site| {
        let name = site.function.rsplit('.').next().unwrap_or_default();
        !near.contains(&name) && !own.contains(name) && seen.insert((site.path.clone(), site.function.clone()))
    });
    sites.sort_by_key(|site| site.path == record.change.main().path);
    sites
}
