//! The answer's grammar: one repository-relative path per line, at most 20 lines and 8 KiB.

use std::collections::BTreeSet;

const MAX_BYTES: usize = 8 << 10;
const MAX_LINES: usize = 20;

/// Why an answer was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// Reads the paths of an answer; `exists` says whether a path is in the tree.
pub(super) fn parse(answer: &str, exists: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, Refusal> {
    let refuse = |code, detail: String| Err(Refusal { code, detail });
    let lines: Vec<&str> = answer.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return refuse("no_artifact", "the answer is empty".into());
    }
    if answer.len() > MAX_BYTES || lines.len() > MAX_LINES {
        return refuse("bad_format", format!("{} lines, {} bytes", lines.len(), answer.len()));
    }
    let mut paths = BTreeSet::new();
    for line in lines {
        let path = canonical(line);
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return refuse("bad_format", format!("`{line}` leaves the repository"));
        }
        if !exists(&path) {
            return refuse("nonexistent_path", format!("`{line}` is not in the repository"));
        }
        paths.insert(path);
    }
    Ok(paths)
}

fn canonical(line: &str) -> String {
    let line = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).unwrap_or(line).trim_matches('`');
    let slashed = line.trim().replace('\\', "/");
    let inside = slashed.strip_prefix("/repo/").unwrap_or(&slashed);
    let absolute = if inside.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = inside.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("{absolute}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str) -> Result<Vec<String>, &'static str> {
        let exists = |path: &str| ["a/b.py", "c.py"].contains(&path);
        parse(answer, exists).map(|paths| paths.into_iter().collect()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn spellings_of_one_path_are_the_same() {
        for answer in ["a/b.py", "./a//b.py\n", "- a\\b.py", "`a/b.py`", "/repo/a/b.py"] {
            assert_eq!(check(answer).unwrap(), ["a/b.py"], "{answer}");
        }
    }

    #[test]
    fn what_is_no_list_of_paths_in_the_tree_is_refused() {
        assert_eq!(check(" \n"), Err("no_artifact"));
        assert_eq!(check("../a/b.py"), Err("bad_format"));
        assert_eq!(check("/etc/passwd"), Err("bad_format"));
        assert_eq!(check("The bug is in a/b.py"), Err("nonexistent_path"));
        assert_eq!(check(&"c.py\n".repeat(21)), Err("bad_format"));
    }
}
