//! Fenced blocks of documentation: where they stand and what their first line says they are.
//!
//! A first line that names a test, `doc(…)`, is ours: no other tool takes such a block for Rust.

use std::ops::Range;

use super::comments::{Comment, Line};

/// A fenced block that is a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// From the mark of its first line to the end of its last one.
    pub(super) whole: Range<usize>,
    /// What stands behind the first fence.
    pub(super) info: Range<usize>,
    /// The code of each line, without what hides it.
    pub(super) code: Vec<Range<usize>>,
    pub(super) meaning: Meaning,
}

/// What the first line of a block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Whether it has to panic.
    pub(super) panics: bool,
    /// The test that it is, if it says so.
    pub(super) name: Option<String>,
}

/// The blocks of a comment that are tests. Of a comment that is no documentation those that name their test.
pub(super) fn blocks(comment: &Comment, source: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    for line in &comment.lines {
        let text = &source[line.text.clone()];
        match &mut open {
            Some(block) if block.is_closed_by(text) => {
                found.extend(open.take().and_then(|block| block.end(line.text.end)))
            }
            Some(block) => block.code.push(block.inside(line, source)),
            None => {
                open = Open::at(line, source);
                let is_named = |open: &Open| open.meaning.as_ref().is_some_and(|meaning| meaning.name.is_some());
                if comment.item.is_none() && !open.as_ref().is_some_and(is_named) {
                    open = None;
                }
            }
        }
    }
    // A block that nothing closes goes on to the end of the comment.
    let end = comment.lines.last().map_or(0, |line| line.text.end);
    found.extend(open.and_then(|block| block.end(end)));
    found
}

struct Open {
    fence: String,
    indent: usize,
    start: usize,
    info: Range<usize>,
    code: Vec<Range<usize>>,
    meaning: Option<Meaning>,
}

impl Open {
    fn at(line: &Line, source: &str) -> Option<Self> {
        let text = &source[line.text.clone()];
        let trimmed = text.trim_start();
        let mark = trimmed.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let fence: String = trimmed.chars().take_while(|letter| *letter == mark).collect();
        let info = &trimmed[fence.len()..];
        if fence.len() < 3 || mark == '`' && info.contains('`') {
            return None;
        }
        let indent = text.len() - trimmed.len();
        let first = line.text.start + indent + fence.len();
        let info = first..line.text.end;
        let meaning = meaning(&source[info.clone()]);
        Some(Self { fence, indent, start: line.start, info, code: Vec::new(), meaning })
    }

    fn is_closed_by(&self, text: &str) -> bool {
        let text = text.trim();
        text.len() >= self.fence.len() && text.chars().all(|letter| self.fence.starts_with(letter))
    }

    /// The code of a line: without the indent of the block, and without `#` that hides the line from readers.
    fn inside(&self, line: &Line, source: &str) -> Range<usize> {
        let text = &source[line.text.clone()];
        let blank = text.len() - text.trim_start().len();
        let trimmed = text.trim();
        let first = line.text.start + blank;
        match trimmed {
            "#" => line.text.end..line.text.end,
            _ if trimmed.starts_with("##") => first + 1..line.text.end,
            _ if trimmed.starts_with("# ") => first + 2..line.text.end,
            _ => line.text.start + blank.min(self.indent)..line.text.end,
        }
    }

    fn end(self, end: usize) -> Option<Block> {
        Some(Block { whole: self.start..end, info: self.info, code: self.code, meaning: self.meaning? })
    }
}

/// What a first line means by the rules of rustdoc; `None` when the block is not to be run.
fn meaning(info: &str) -> Option<Meaning> {
    let info = info.trim();
    let (panics, named) = info.strip_prefix("should_panic,").map_or((false, info), |rest| (true, rest));
    if named.starts_with("doc(") {
        return Some(Meaning { panics, name: Some(named.to_owned()) });
    }
    let (mut is_rust, mut is_other, mut panics) = (false, false, false);
    for word in info.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
        match word {
            "rust" => is_rust = true,
            "should_panic" => panics = true,
            "no_run" | "compile_fail" | "test_harness" | "custom" => return None,
            _ if word == "ignore" || word.starts_with("ignore-") => return None,
            _ if word.starts_with("edition") => {}
            _ => is_other = true,
        }
    }
    (is_rust || !is_other).then_some(Meaning { panics, name: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_block_says_whether_it_is_run() {
        let run = |info: &str| meaning(info).map(|meaning| (meaning.panics, meaning.name));
        for info in ["", "rust", " rust ", "edition2021", "rust,edition2018", "rust,odd"] {
            assert_eq!(run(info), Some((false, None)), "{info}");
        }
        for info in ["should_panic", "rust should_panic"] {
            assert_eq!(run(info), Some((true, None)), "{info}");
        }
        for info in ["text", "ignore", "rust,ignore-windows", "no_run", "compile_fail,E0382", "toml", "test_harness"] {
            assert_eq!(run(info), None, "{info}");
        }
        assert_eq!(run("doc(a.b) #2_c"), Some((false, Some("doc(a.b) #2_c".to_owned()))));
        assert_eq!(run("should_panic,doc(a)"), Some((true, Some("doc(a)".to_owned()))));
    }
}
