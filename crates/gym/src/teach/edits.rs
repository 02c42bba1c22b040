//! Changes that a teacher makes: the right one, and careless ones that look like it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::instruction::{line_diff, word_diff_within};
use crate::languages;
use crate::tree::Tree;

/// One replacement in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: String,
    /// Text that occurs once in it.
    pub old: String,
    /// What stands there afterwards.
    pub new: String,
}

/// The change from `buggy` to `fixed` as the replacement of the fewest words of a line, or else of the fewest whole lines.
///
/// # Errors
/// When more or less than one file differs.
pub fn gold(buggy: &Tree, fixed: &Tree) -> Result<Change, String> {
    let changed: Vec<&str> = fixed.paths().filter(|path| fixed.get(path) != buggy.get(path)).collect();
    let [path] = changed[..] else { return Err(format!("{} files differ, expected one", changed.len())) };
    let (before, after) = (buggy.text(path).unwrap_or_default(), fixed.text(path).unwrap_or_default());
    change(path, before, after).ok_or_else(|| format!("no unique replacement in `{path}`"))
}

/// A wrong change of the function that contains `near`, as somebody makes who does not look closely; `None` when the file
/// offers none.
pub fn wrong(tree: &Tree, path: &str, function: &str, rng: &mut ChaCha8Rng) -> Option<Change> {
    let source = tree.text(path)?;
    let own = |name: &str| name.rsplit('.').next() == Some(function);
    let sites: Vec<_> = languages::mutations(path, source).into_iter().filter(|site| own(&site.function)).collect();
    (0..8).find_map(|_| {
        let site = super::pick(&sites, rng)?;
        change(path, source, &site.apply(source))
    })
}

/// The gold change done carelessly: nothing is changed, or the text is only taken out, or it happens to be right.
pub fn careless(gold: &Change, rng: &mut ChaCha8Rng) -> Change {
    let new = match rng.random_range(0..10) {
        0..3 => gold.old.clone(),
        3..6 => String::new(),
        _ => gold.new.clone(),
    };
    Change { new, ..gold.clone() }
}

/// A replacement of words of one line where that is enough, else of whole lines, with more around it until the old text is
/// unique in the file.
fn change(path: &str, before: &str, after: &str) -> Option<Change> {
    let diff = line_diff(before, after);
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if let ([before_line], [after_line]) = (&diff.before[..], &diff.after[..])
        && let Some((old, new)) = word_diff_within(before, before_line.trim(), after_line.trim())
    {
        return Some(Change { path: path.into(), old, new });
    }
    let (mut first, mut last_a) = (diff.shared_head, diff.shared_head + diff.before.len());
    let mut last_b = diff.shared_head + diff.after.len();
    loop {
        let (old, new) = (a[first..last_a].join("\n"), b[first..last_b].join("\n"));
        let (old, new) = strip_common_indent(&old, &new);
        if !old.trim().is_empty() && before.matches(&old).count() == 1 {
            return Some(Change { path: path.into(), old, new });
        }
        if first > 0 && !a[first - 1].trim().is_empty() {
            first -= 1;
        } else if last_a < a.len() && last_b < b.len() {
            (last_a, last_b) = (last_a + 1, last_b + 1);
        } else if first > 0 {
            first -= 1;
        } else {
            return None;
        }
    }
}

/// Single lines are replaced without their indentation: fewer tokens to copy.
fn strip_common_indent(old: &str, new: &str) -> (String, String) {
    let indent = |text: &str| text.len() - text.trim_start().len();
    if old.contains('\n') || new.contains('\n') || indent(old) != indent(new) {
        return (old.to_owned(), new.to_owned());
    }
    (old.trim_start().to_owned(), new.trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gold_change_replaces_the_fewest_words_that_are_unique() {
        let mut buggy = Tree::new();
        buggy.insert("p/a.py", "def f(a):\n    if a < 1:\n        return 0\n    return a\n\n\ndef g(a):\n    if a <= 1:\n        return 0\n    return a\n");
        let mut fixed = buggy.clone();
        fixed.insert("p/a.py", buggy.text("p/a.py").unwrap().replace("a < 1", "a <= 1"));
        let change = gold(&buggy, &fixed).unwrap();
        assert_eq!((change.old.as_str(), change.new.as_str()), ("< 1", "<= 1"));
        let mut other = buggy.clone();
        other.insert("p/a.py", buggy.text("p/a.py").unwrap().replacen("return 0", "return 1", 1));
        assert!(gold(&buggy, &other).unwrap().old.contains("if a < 1:\n"));
    }
}
