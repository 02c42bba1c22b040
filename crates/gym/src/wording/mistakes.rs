//! Wrong versions of a function that a model proposes, as edits of its file. Nothing is believed of them here but that they are other code and
//! have no remark that tells: which tests and calls notice them is decided by execution.

use crate::languages::{self, FunctionSpan};
use crate::record::{BugRecord, Mutation};

/// What such edits name as their operator.
const OPERATOR: &str = "proposed";

/// The function of which wrong versions are asked for: the first one of a record's change, healthy.
pub(super) struct Subject<'a> {
    path: &'a str,
    source: &'a str,
    span: FunctionSpan,
}

impl<'a> Subject<'a> {
    pub(super) fn of(record: &'a BugRecord) -> Option<Self> {
        let place = record.change.main();
        let (path, source) = (place.path.as_str(), record.fixed.text(&place.path)?);
        let span = languages::functions(path, source).into_iter().find(|it| it.qualified() == place.function)?;
        Some(Self { path, source, span })
    }

    /// Its text, without the indentation of its place.
    pub(super) fn text(&self) -> String {
        let indentation = self.indentation();
        let lines = self.before().lines().map(|line| line.strip_prefix(indentation).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The edit that puts a version in the place of the function, or why it cannot be used.
    pub(super) fn edit(&self, version: &str) -> Result<Mutation, String> {
        let (before, after) = (self.before(), self.indented(version));
        let same = before.lines().zip(after.lines()).take_while(|(one, other)| one == other).count();
        let edit = Mutation {
            operator: OPERATOR.to_owned(),
            path: self.path.to_owned(),
            start: self.span.start,
            end: self.span.end,
            before: before.to_owned(),
            after,
            function: self.span.qualified(),
            line: (self.span.line_start + same).min(self.span.line_end),
        };
        let file = edit.apply(self.source);
        let anatomy = languages::of_path(self.path).ok_or("its language is not known")?.anatomy();
        if !anatomy.is_valid(self.path, &file) {
            return Err("it has a syntax error".to_owned());
        }
        if names(self.path, &file) != names(self.path, self.source) {
            return Err("it is not this function alone".to_owned());
        }
        if anatomy.same_code(self.path, &file, self.source) {
            return Err("it is the same code".to_owned());
        }
        let known = remarks(self.path, self.source);
        if let Some(remark) = remarks(self.path, &file).into_iter().find(|it| !known.contains(it)) {
            return Err(format!("it has a remark of its own: `{remark}`"));
        }
        Ok(edit)
    }

    fn before(&self) -> &'a str {
        &self.source[self.span.start..self.span.end]
    }

    /// What stands before the function on its line, if it is blank.
    fn indentation(&self) -> &'a str {
        let before = &self.source[..self.span.start];
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        if line.trim().is_empty() { line } else { "" }
    }

    /// A version as it has to stand in the file, however far it was indented.
    fn indented(&self, version: &str) -> String {
        let version = version.trim_matches('\n').trim_end();
        let own = &version[..version.len() - version.trim_start().len()];
        let lines = version.lines().enumerate().map(|(number, line)| {
            let line = line.strip_prefix(own).unwrap_or(line);
            if number == 0 || line.is_empty() { line.to_owned() } else { format!("{}{line}", self.indentation()) }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The functions of a file.
fn names(path: &str, source: &str) -> Vec<String> {
    languages::functions(path, source).iter().map(FunctionSpan::qualified).collect()
}

/// What stands between the words of code: comments and documentation, piece by piece.
fn remarks<'a>(path: &str, source: &'a str) -> Vec<&'a str> {
    let words = languages::of_path(path).map(|it| it.anatomy().words(path, source)).unwrap_or_default();
    let (mut rest, mut found) = (source, Vec::new());
    for (_, word) in words {
        // Marks of blocks stand for no text.
        let Some(at) = rest.find(word).filter(|at| word != "{" && word != "}" || rest[..*at].trim().is_empty()) else {
            continue;
        };
        found.extend(rest[..at].split_whitespace());
        rest = &rest[at + word.len()..];
    }
    found.extend(rest.split_whitespace());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
class Box:
    # Keeps low values.
    def low(self, value, least):
        \"\"\"At least `least`.\"\"\"
        if value < least:  # too low
            return least
        return value

def other():
    return {1: 2}
";

    fn subject() -> Subject<'static> {
        let path = "box.py";
        let span = languages::functions(path, SOURCE).into_iter().find(|it| it.name == "low").expect("it is there");
        Subject { path, source: SOURCE, span }
    }

    #[test]
    fn a_version_stands_where_the_function_stood_however_it_is_indented() {
        let text = subject().text();
        assert!(text.starts_with("def low") && text.ends_with("\n    return value"), "{text}");
        let wrong = text.replace("value < least", "value > least");
        let deeper: Vec<String> = wrong.lines().map(|line| format!("  {line}")).collect();
        for version in [wrong.clone(), format!("\n{wrong}\n"), deeper.join("\n")] {
            let edit = subject().edit(&version).expect("another version");
            assert_eq!(edit.apply(SOURCE), SOURCE.replace("value < least", "value > least"));
            assert_eq!((edit.operator.as_str(), edit.function.as_str(), edit.line), ("proposed", "Box.low", 5));
        }
    }

    #[test]
    fn what_is_not_another_version_of_the_function_is_refused() {
        let text = subject().text();
        let refused = |version: String, reason: &str| {
            let said = subject().edit(&version).expect_err("it cannot be used");
            assert!(said.contains(reason), "{said}");
        };
        refused(text.clone(), "same code");
        refused(text.replace("too low", "low"), "same code");
        refused(text.replace("if value < least:", "if value < :"), "syntax error");
        refused(text.replace("def low", "def high"), "not this function alone");
        refused(format!("{text}\n\ndef more():\n    return 1"), "not this function alone");
        refused(text.replace("value < least:", "value > least:  # wrong"), "remark of its own: `wrong`");
        refused(text.replace("value <", "value >").replace("At least", "At most"), "remark of its own");
    }
}
