//! Unified diffs between trees, as `git` writes and reads them. Text files only; nothing is written to disk.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::grade::policy::stays_inside;
use crate::tree::Tree;

/// Lines around a change.
const CONTEXT: usize = 3;

/// What turns `before` into `after`, file by file in the order of their paths.
///
/// # Errors
/// The path of a file that differs and is not UTF-8 text.
pub fn diff(before: &Tree, after: &Tree) -> Result<String, String> {
    let mut text = String::new();
    let paths: BTreeSet<&str> = before.paths().chain(after.paths()).collect();
    for path in paths.into_iter().filter(|path| before.get(path) != after.get(path)) {
        let side = |tree: &Tree| -> Result<Option<String>, String> {
            let bytes = tree.get(path).map(<[u8]>::to_vec);
            bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| path.to_owned())).transpose()
        };
        write_file(&mut text, path, side(before)?.as_deref(), side(after)?.as_deref());
    }
    Ok(text)
}

fn write_file(text: &mut String, path: &str, before: Option<&str>, after: Option<&str>) {
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    let named = |side: Option<&str>, prefix: &str| match side {
        Some(_) => format!("{prefix}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let _ = writeln!(text, "diff --git a/{path} b/{path}");
    match (before, after) {
        (None, _) => text.push_str("new file mode 100644\n"),
        (_, None) => text.push_str("deleted file mode 100644\n"),
        _ => {}
    }
    if old == new {
        return;
    }
    let (from, to) = (named(before, "a"), named(after, "b"));
    // Cut at line feeds alone, as `git` does.
    let (old, new) = (old.split_inclusive('\n').collect::<Vec<_>>(), new.split_inclusive('\n').collect::<Vec<_>>());
    let lines = similar::TextDiff::configure().newline_terminated(true).diff_slices(&old, &new);
    text.push_str(&lines.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string());
}

/// The tree with a patch applied, and the paths that it changes.
///
/// # Errors
/// One line: the file and the first hunk that does not fit, or what is no patch.
pub fn apply(tree: &Tree, patch: &str) -> Result<(Tree, BTreeSet<String>), String> {
    let mut result = tree.clone();
    let mut changed = BTreeSet::new();
    for file in parse(patch)? {
        let path = file.path().to_owned();
        if !stays_inside(&path) {
            return Err(format!("the patch names `{path}`, which leads out of the repository"));
        }
        let source = file.before.as_deref().unwrap_or(&path);
        let old = match (&file.before, result.text(source)) {
            (None, None) => "",
            (None, Some(_)) => return Err(format!("the patch creates `{path}`, which is there already")),
            (Some(_), Some(text)) => text,
            (Some(name), None) => return Err(format!("the patch changes `{name}`, which is no text file here")),
        };
        let new = hunks(old, &file.hunks).map_err(|reason| format!("the patch of `{path}` {reason}"))?;
        if file.before.as_deref().is_some_and(|before| file.after.as_deref() != Some(before)) {
            result.remove(source);
            changed.insert(source.to_owned());
        }
        if file.after.is_some() {
            result.insert(path.clone(), new);
        }
        changed.insert(path);
    }
    Ok((result, changed))
}

/// One file of a patch; `None` for a side on which it does not exist.
#[derive(Debug, Default)]
struct File {
    before: Option<String>,
    after: Option<String>,
    hunks: Vec<Hunk>,
}

impl File {
    fn path(&self) -> &str {
        self.after.as_deref().or(self.before.as_deref()).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Hunk {
    /// First line on the old side, from 1.
    start: usize,
    /// Each line with its mark: ` `, `+` or `-`.
    lines: Vec<(char, String)>,
}

fn parse(patch: &str) -> Result<Vec<File>, String> {
    let mut files: Vec<File> = Vec::new();
    let mut lines = patch.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let bare = line.trim_end_matches(['\n', '\r']);
        if let Some(names) = bare.strip_prefix("diff --git ") {
            let (before, after) = both_names(names)?;
            files.push(File { before: Some(before), after: Some(after), hunks: Vec::new() });
        } else if bare.starts_with("new file mode") {
            last(&mut files, bare)?.before = None;
        } else if bare.starts_with("deleted file mode") {
            last(&mut files, bare)?.after = None;
        } else if bare.starts_with("GIT binary patch") || bare.starts_with("Binary files") {
            return Err(format!(
                "the patch of `{}` is binary, which cannot be applied",
                last(&mut files, bare)?.path()
            ));
        } else if let Some(name) = bare.strip_prefix("--- ") {
            let next = lines.next().unwrap_or_default().trim_end();
            let other = next.strip_prefix("+++ ").ok_or("a line `---` in the patch has no `+++` after it")?;
            let (before, after) = (side(name, "a/"), side(other, "b/"));
            // Patches of other tools have no line `diff --git`.
            if files.last().is_none_or(|file| !file.hunks.is_empty()) {
                files.push(File::default());
            }
            let file = files.last_mut().expect("one was pushed");
            (file.before, file.after) = (before, after);
        } else if bare.starts_with("@@ ") {
            let mut hunk = Hunk::default();
            let (old, new);
            (hunk.start, old, new) = header(bare).ok_or_else(|| format!("`{bare}` in the patch is no hunk"))?;
            while hunk.side('-').count() < old || hunk.side('+').count() < new {
                let Some(line) = lines.next() else { return Err("the patch ends within a hunk".to_owned()) };
                hunk.push(line)?;
            }
            while lines.peek().is_some_and(|line| line.starts_with('\\')) {
                hunk.push(lines.next().unwrap_or_default())?;
            }
            last(&mut files, bare)?.hunks.push(hunk);
        }
    }
    match files.is_empty() && !patch.trim().is_empty() {
        true => Err("the text is no patch: it names no file".to_owned()),
        false => Ok(files),
    }
}

fn last<'a>(files: &'a mut [File], line: &str) -> Result<&'a mut File, String> {
    files.last_mut().ok_or_else(|| format!("`{line}` in the patch belongs to no file"))
}

/// `a/x b/x`: both names are of the same length unless the file was renamed, and then a line for each side follows.
fn both_names(names: &str) -> Result<(String, String), String> {
    let middles = names.match_indices(" b/").map(|(at, _)| at);
    let split = |at: usize| (side(&names[..at], "a/"), side(&names[at + 1..], "b/"));
    let found: Vec<_> = middles.map(split).collect();
    let same = found.iter().find(|(before, after)| before == after).or_else(|| found.first());
    match same {
        Some((Some(before), Some(after))) => Ok((before.clone(), after.clone())),
        _ => Err(format!("`diff --git {names}` in the patch does not name a file twice")),
    }
}

/// A name without its prefix and what some tools write after a tab; `None` for a side on which there is no file.
fn side(name: &str, prefix: &str) -> Option<String> {
    let name = name.split('\t').next().unwrap_or_default().trim_end();
    (name != "/dev/null").then(|| name.strip_prefix(prefix).unwrap_or(name).to_owned())
}

/// `@@ -3,2 +3,4 @@`: first old line, number of old lines, number of new lines.
fn header(line: &str) -> Option<(usize, usize, usize)> {
    let mut words = line.split_whitespace().skip(1);
    let range = |word: &str, sign: char| -> Option<(usize, usize)> {
        let word = word.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((start, old), (_, new)) = (range(words.next()?, '-')?, range(words.next()?, '+')?);
    Some((start, old, new))
}

impl Hunk {
    fn push(&mut self, line: &str) -> Result<(), String> {
        match line.chars().next() {
            Some(mark @ (' ' | '-' | '+')) => self.lines.push((mark, line[1..].to_owned())),
            // Some editors strip the blank of an empty line of context.
            Some('\n' | '\r') => self.lines.push((' ', line.to_owned())),
            // "No newline at end of file": of the line before.
            Some('\\') => {
                if let Some((_, last)) = self.lines.last_mut() {
                    last.truncate(last.trim_end_matches(['\n', '\r']).len());
                }
            }
            _ => return Err(format!("`{}` in a hunk begins with none of ` `, `+`, `-`", line.trim_end())),
        }
        Ok(())
    }

    /// The lines of context with those of one mark.
    fn side(&self, mark: char) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |(own, _)| *own == ' ' || *own == mark).map(|(_, line)| line.as_str())
    }
}

/// The text with the hunks applied; where lines were added or removed above, a hunk may stand elsewhere, the nearest place counts.
fn hunks(old: &str, hunks: &[Hunk]) -> Result<String, String> {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let mut new = String::new();
    let mut done = 0;
    for (number, hunk) in hunks.iter().enumerate() {
        let wanted: Vec<&str> = hunk.side('-').collect();
        let stated = if wanted.is_empty() { hunk.start } else { hunk.start.saturating_sub(1) };
        let fits = |at: &usize| lines[*at..].starts_with(&wanted);
        let places = (done..=lines.len().saturating_sub(wanted.len())).filter(fits);
        let at = places.min_by_key(|at| at.abs_diff(stated));
        let at =
            at.ok_or_else(|| format!("does not fit: hunk {} at line {} finds other lines", number + 1, hunk.start))?;
        lines[done..at].iter().for_each(|line| new.push_str(line));
        hunk.side('+').for_each(|line| new.push_str(line));
        done = at + wanted.len();
    }
    lines.get(done..).unwrap_or_default().iter().for_each(|line| new.push_str(line));
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        files.iter().for_each(|(path, text)| tree.insert(*path, *text));
        tree
    }

    fn check(before: &[(&str, &str)], after: &[(&str, &str)]) {
        let (before, after) = (tree(before), tree(after));
        let patch = diff(&before, &after).expect("text");
        let (applied, _) = apply(&before, &patch).unwrap_or_else(|reason| panic!("{reason}:\n{patch}"));
        assert_eq!(applied, after, "{patch}");
    }

    #[test]
    fn what_is_written_applies() {
        let long: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let other = long.replace("line 3\n", "").replace("line 30\n", "line thirty\nand one\n");
        check(&[("a.py", &long)], &[("a.py", &other)]);
        check(&[("a.py", "x\n")], &[("a.py", "x\n"), ("new/b.py", "y\nz")]);
        check(&[("a.py", "x\ny"), ("b", "1\n")], &[("b", "1\n")]);
        check(&[("a.py", "x\ny")], &[("a.py", "x\ny\n")]);
        check(&[("a.py", "x\ny\n")], &[("a.py", "x\nz")]);
        check(&[("a.py", "x\r\n\n\r y\n")], &[("a.py", "x\n\n\r y\n")]);
        check(&[("a.py", "x\n"), ("dash.sql", "-- old\n++ a\n")], &[("a.py", "x\n"), ("dash.sql", "-- new\n")]);
        check(&[("a", "x\n")], &[("a", "x\n"), ("empty", "")]);
    }

    #[test]
    fn hunks_that_moved_and_stripped_blanks_still_fit() {
        let patch = "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n one\n\n-two\n+deux\n";
        let (applied, changed) = apply(&tree(&[("a.py", "zero\nzero\none\n\ntwo\n")]), patch).expect("fits");
        assert_eq!(applied.text("a.py"), Some("zero\nzero\none\n\ndeux\n"));
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["a.py"]);
    }

    #[test]
    fn a_renamed_file_leaves_its_old_place() {
        let patch = "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n\
                     --- a/old.py\n+++ b/new.py\n@@ -1 +1 @@\n-x\n+y\n";
        let (applied, _) = apply(&tree(&[("old.py", "x\n")]), patch).expect("fits");
        assert_eq!(applied, tree(&[("new.py", "y\n")]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |patch: &str| apply(&tree(&[("a.py", "x\n")]), patch).expect_err("refused");
        assert_eq!(error("nonsense"), "the text is no patch: it names no file");
        let hunk = "@@ -1 +1 @@\n-y\n+z\n";
        let other = format!("--- a/a.py\n+++ b/a.py\n{hunk}");
        assert_eq!(error(&other), "the patch of `a.py` does not fit: hunk 1 at line 1 finds other lines");
        let outside = format!("--- a/../a.py\n+++ b/../a.py\n{hunk}");
        assert_eq!(error(&outside), "the patch names `../a.py`, which leads out of the repository");
        let missing = format!("--- a/b.py\n+++ b/b.py\n{hunk}");
        assert_eq!(error(&missing), "the patch changes `b.py`, which is no text file here");
        assert_eq!(error("--- a/a.py\n+++ b/a.py\n@@ -1,5 +1 @@\n-y\n"), "the patch ends within a hunk");
    }
}
