//! A function of one file put into another, where nobody calls it.
//!
//! Two versions that each hold the function of the other have the same operators, constants and lines. Whoever tells them apart
//! by what stands in them has to find out what is run.

use crate::languages::python::syntax::functions;

/// The file with the function of the other one behind it.
pub(super) fn joined(own: &str, other: &str, function: &str) -> Option<String> {
    let span = functions(other).into_iter().find(|span| span.qualified() == function)?;
    let text = &other[span.start..span.end];
    // Decorators may do something when they are met.
    let at = text.find("async def ").or_else(|| text.find("def "))?;
    let column = other[..span.start].rsplit('\n').next()?.len();
    let indented = |(number, line): (usize, &str)| {
        let is_deeper = number > 0 && line.get(..column).is_some_and(|start| start.trim().is_empty());
        let inner = if is_deeper { &line[column..] } else { line };
        if inner.is_empty() { String::new() } else { format!("    {inner}") }
    };
    let lines: Vec<String> = text[at..].lines().enumerate().map(indented).collect();
    let end = if own.ends_with('\n') { "" } else { "\n" };
    Some(format!("{own}{end}\n\ndef _{}_of_before():\n{}\n", span.name, lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &str, other: &str, function: &str, expected: Option<&str>) {
        assert_eq!(joined(own, other, function).as_deref(), expected);
    }

    #[test]
    fn the_function_of_the_other_file_stands_where_nothing_calls_it() {
        check(
            "def f(a):\n    return a\n",
            "@cached\ndef f(a):\n\n    return a + 1\n",
            "f",
            Some("def f(a):\n    return a\n\n\ndef _f_of_before():\n    def f(a):\n\n        return a + 1\n"),
        );
        check(
            "X = 1",
            "class C:\n    def f(self):\n        return 2\n",
            "C.f",
            Some("X = 1\n\n\ndef _f_of_before():\n    def f(self):\n        return 2\n"),
        );
        check("X = 1\n", "Y = 1\n", "f", None);
    }
}
