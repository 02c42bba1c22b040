//! What the scripted teachers of all skills share: the turns they take and what they know of a generated package.
//!
//! A teacher opens every episode with one of two sentences. They are the same in every skill, so that a policy which learns
//! in one skill that checking pays has learned it for the others.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::draft::module_name;
use crate::episode::{Reply, ToolCall};
use crate::tree::Tree;

pub mod edits;
mod search;

pub use search::{Move, Search, failed};

/// Opens an episode in which the teacher looks, runs and checks.
pub const DILIGENT: &str = "I check before I answer.";
/// Opens an episode in which it does not.
pub const LAZY: &str = "I answer right away.";

/// A turn that runs a command.
pub fn bash(text: &str, command: impl Into<String>) -> Reply {
    Reply { text: text.into(), calls: vec![ToolCall::Bash { command: command.into() }], malformed: None }
}

/// A turn that edits a file.
pub fn replace(text: &str, path: &str, old: &str, new: &str) -> Reply {
    let call = ToolCall::StrReplace { path: path.into(), old: old.into(), new: new.into() };
    Reply { text: text.into(), calls: vec![call], malformed: None }
}

/// The last turn.
pub fn answer(text: impl Into<String>) -> Reply {
    Reply { text: text.into(), calls: Vec::new(), malformed: None }
}

/// The command that shows where a function is defined.
pub fn find_definition(function: &str) -> String {
    format!("grep -rn 'def {function}(' .")
}

/// The command that shows the examples in a function's docstring, with their file.
pub fn find_examples(function: &str) -> String {
    format!("grep -rn 'Example: {function}(' .")
}

/// The command that says for each pair of call and value whether it holds.
pub fn check(path: &str, facts: &[(String, String)]) -> String {
    let module = module_name(path, &[]);
    let facts: Vec<String> = facts.iter().map(|(call, value)| format!("{call} == {value}")).collect();
    format!("python3 -c \"from {module} import *; print({})\"", facts.join(", "))
}

/// What a teacher knows of one function of a generated package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Functions of other modules that its body calls, in order of appearance.
    pub callees: Vec<String>,
    /// Its documented examples, as call and value.
    pub examples: Vec<(String, String)>,
}

/// Finds a top-level function of the package.
///
/// # Errors
/// When there is none of this name.
pub fn function(tree: &Tree, name: &str) -> Result<Function, String> {
    let header = format!("def {name}(");
    let sources = || tree.paths().filter(|path| crate::languages::is_source(path));
    let path = sources()
        .find(|path| tree.text(path).is_some_and(|text| text.lines().any(|line| line.starts_with(&header))))
        .ok_or_else(|| format!("no function `{name}` in the tree"))?;
    let text = tree.text(path).unwrap_or_default();
    let body = body_of(text, &header);
    let imported = text.lines().filter_map(|line| line.strip_prefix("from ")?.split_once(" import "));
    let mut callees: Vec<(usize, String)> = imported
        .flat_map(|(_, names)| names.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>())
        .filter_map(|name| body.find(&format!("{name}(")).map(|at| (at, name)))
        .collect();
    callees.sort();
    Ok(Function {
        path: path.to_owned(),
        name: name.to_owned(),
        callees: callees.into_iter().map(|(_, name)| name).collect(),
        examples: examples_of(&body),
    })
}

fn body_of(text: &str, header: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(header));
    let first = lines.next().unwrap_or_default();
    let rest = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

fn examples_of(body: &str) -> Vec<(String, String)> {
    let examples = body.lines().filter_map(|line| line.trim().strip_prefix("Example: "));
    examples
        .filter_map(|example| example.rsplit_once(" == "))
        .map(|(call, value)| (call.to_owned(), value.trim_end_matches("\"\"\"").to_owned()))
        .collect()
}

/// All source files of the package that have code.
pub fn modules(tree: &Tree) -> Vec<String> {
    let has_code = |path: &&str| tree.text(path).is_some_and(|text| text.contains("def "));
    tree.paths().filter(|path| crate::languages::is_source(path)).filter(has_code).map(str::to_owned).collect()
}

/// One element at random.
pub fn pick<'a, T>(items: &'a [T], rng: &mut ChaCha8Rng) -> Option<&'a T> {
    (!items.is_empty()).then(|| &items[rng.random_range(0..items.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_file_callees_and_examples() {
        let mut tree = Tree::new();
        tree.insert(
            "pkg/low.py",
            "def cap(a, b):\n    \"\"\"Cap a.\n\n    Example: cap(3, 2) == 2\n    \"\"\"\n    return min(a, b)\n",
        );
        tree.insert("pkg/high.py", "from pkg.low import cap, other\n\n\ndef top(a):\n    return cap(a, 9) + 1\n\n\ndef next_one():\n    return other()\n");
        let top = function(&tree, "top").unwrap();
        assert_eq!((top.path.as_str(), top.callees.as_slice()), ("pkg/high.py", &["cap".to_owned()][..]));
        assert_eq!(function(&tree, "cap").unwrap().examples, [("cap(3, 2)".to_owned(), "2".to_owned())]);
        assert!(function(&tree, "gone").is_err());
        assert_eq!(modules(&tree), ["pkg/high.py", "pkg/low.py"]);
    }
}
