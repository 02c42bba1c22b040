//! Which module of `gym` may import which, and what each file does import.

use crate::source::{SourceFile, sources};

/// The nouns: everybody may import them, they import nothing but each other.
const NOUNS: [&str; 5] = ["tree", "project", "record", "task", "episode"];

/// Beside the nouns and itself, each module may import these; `a::b` allows only that part of `a`. In the order of the flow
/// of data.
const TABLE: &[(&str, &[&str])] = &[
    ("tree", &[]),
    ("project", &[]),
    ("record", &[]),
    ("task", &[]),
    ("episode", &[]),
    ("calendar", &[]),
    ("parallel", &[]),
    ("threads", &[]),
    ("blobs", &[]),
    ("client", &[]),
    ("languages", &["mutation"]),
    // Generated packages get tests that notice mutations.
    ("sources", &["calendar", "languages", "mutation"]),
    ("mutation", &[]),
    ("baseline", &["languages"]),
    ("validate", &["baseline", "languages", "sources::history", "sources::releases"]),
    ("issue", &[]),
    ("instruction", &[]),
    ("surface", &[]),
    // The grader that `edit` and `bugfix` share also builds its hidden part, and may refuse a record.
    ("grade", &["blobs", "draft", "languages", "skills::Rejection"]),
    ("draft", &["blobs", "issue", "languages", "skills::Build", "skills::Rejection", "skills::Skill"]),
    ("teach", &["draft", "instruction", "languages", "mutation"]),
    // A skill sees neither policies nor the agent loop; that it sees no other skill is checked beside this table.
    ("skills", &["draft", "grade", "instruction", "issue", "languages", "mutation", "surface", "teach"]),
    // Model servers are told which tools there are.
    ("policy", &["agent::tools", "client"]),
    ("agent", &["policy", "threads"]),
    ("rollout", &["agent", "policy", "threads"]),
    ("world", &["grade", "rollout", "skills"]),
    ("verdicts", &["agent::AgentLimits", "grade", "rollout::Provision", "rollout::World"]),
    ("regrade", &["grade", "skills"]),
    (
        "gate",
        &[
            "attacks",
            "draft",
            "grade",
            "languages",
            "mutation",
            "parallel",
            "rollout::World",
            "skills",
            "stats",
            "surface",
        ],
    ),
    // Attacks are handed in by the agent loop, through real sandboxes.
    ("attacks", &["agent", "draft", "grade", "languages", "policy", "rollout::World", "skills"]),
    (
        "factory",
        &[
            "baseline",
            "blobs",
            "gate",
            "grade",
            "languages",
            "mutation",
            "parallel",
            "skills",
            "sources",
            "validate",
            "wording",
        ],
    ),
    // Only words: what a skill makes of them does not depend on who wrote them.
    ("wording", &["draft", "grade", "instruction", "issue", "languages", "policy"]),
    ("pack", &["blobs", "gate"]),
    ("embedded", &["factory", "grade", "pack", "parallel", "skills", "sources"]),
    ("store", &["calendar"]),
    ("stats", &[]),
    ("serve", &[]),
    // Calls of the two tools are kept as such.
    ("gateway", &["agent::tools", "client", "serve"]),
    // Programs of others take the place of the agent loop, and speak to the gateway only.
    ("program", &["agent", "gateway", "rollout", "serve"]),
    // The loop, with a policy whose turns come from a client.
    ("env_server", &["agent::tools", "policy", "rollout", "serve"]),
    // The readers gate what they make; the writers say what the graders know to verifiers elsewhere.
    (
        "formats",
        &[
            "agent::tools",
            "blobs",
            "calendar",
            "draft",
            "factory",
            "gate",
            "grade",
            "languages",
            "rollout::World",
            "skills",
            "sources",
        ],
    ),
];

/// Breaches of the table.
pub(crate) fn offences() -> Vec<String> {
    sources(&["gym"]).iter().filter(|file| file.is_library()).flat_map(breaches).collect()
}

fn breaches(file: &SourceFile) -> Vec<String> {
    let path = file.name.strip_prefix("crates/gym/src/").unwrap();
    let (module, skill) = owner(path);
    if module == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}: module `{module}` is not in the table; add it with what it may import", file.name)];
    };
    let forbidden = imports(file, path).into_iter().filter(|import| {
        let (target, part) = (import[0].as_str(), import.join("::"));
        let other_skill = target == "skills" && skill.is_some_and(|own| is_other_skill(import, own));
        let is_allowed = NOUNS.contains(&target) || allowed.contains(&target) || allowed.contains(&part.as_str());
        other_skill || (target != module && !is_allowed)
    });
    forbidden.map(|import| format!("{}: imports `crate::{}`", file.name, import.join("::"))).collect()
}

/// The top-level module of a file, and its skill if it belongs to one.
fn owner(path: &str) -> (&str, Option<&str>) {
    let mut components = path.split('/').map(|component| component.trim_end_matches(".rs"));
    let module = components.next().unwrap();
    let skill = components.next().filter(|name| module == "skills" && *name != "mod" && path.matches('/').count() > 1);
    (module, skill)
}

/// Lower-case names below `skills` are modules: a skill or something that all skills share in `skills` itself.
fn is_other_skill(import: &[String], own: &str) -> bool {
    let folder = |name: &str| crate::crates_dir().join("gym/src/skills").join(name).is_dir();
    import.get(1).is_some_and(|name| name != own && folder(name))
}

/// Every path from the root of the crate that the code names, as components.
fn imports(file: &SourceFile, path: &str) -> Vec<Vec<String>> {
    let code = file.code();
    let mut found = expand(&code, "crate::");
    // `mod.rs` and `foo.rs` of the same depth differ by one level of `super`.
    let depth = path.matches('/').count() + usize::from(!path.ends_with("mod.rs"));
    found.extend(
        expand(&code, &"super::".repeat(depth))
            .into_iter()
            .filter(|import| import.first().is_some_and(|it| it != "super")),
    );
    found
}

/// The paths after each `prefix`, with braces spread out: `a::{b, c::d}` gives `a::b` and `a::c`.
fn expand(code: &str, prefix: &str) -> Vec<Vec<String>> {
    let starts = code.match_indices(prefix).filter(|(at, _)| !code[..*at].ends_with(is_part_of_path));
    starts.flat_map(|(at, _)| paths(&code[at + prefix.len()..], 2)).collect()
}

fn is_part_of_path(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | ':')
}

/// The first `levels` components of the path or paths at the beginning of `text`.
fn paths(text: &str, levels: usize) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if levels == 0 {
        return vec![Vec::new()];
    }
    if let Some(inner) = text.strip_prefix('{') {
        return alternatives(inner).iter().flat_map(|alternative| paths(alternative, levels)).collect();
    }
    let name: String = text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    let rest = text[name.len()..].strip_prefix("::");
    let tails = rest.map_or_else(|| vec![Vec::new()], |rest| paths(rest, levels - 1));
    tails.into_iter().map(|tail| std::iter::once(name.clone()).chain(tail).collect()).collect()
}

/// Splits at commas of the outermost braces, up to the closing one.
fn alternatives(inner: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = vec![String::new()];
    for character in inner.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        found.last_mut().unwrap().push(character);
    }
    found.retain(|alternative| !alternative.trim().is_empty());
    found
}

#[test]
fn paths_are_found_in_braces_and_behind_super() {
    let joined = |code: &str, prefix: &str| {
        expand(code, prefix).iter().map(|import| import.join("::")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(joined("use crate::{a::{B, c::D}, e};", "crate::"), "a::B a::c e");
    assert_eq!(joined("let x = crate::store::find(); othercrate::y();", "crate::"), "store::find");
    assert_eq!(joined("use super::super::store::Reader;", "super::super::"), "store::Reader");
}
