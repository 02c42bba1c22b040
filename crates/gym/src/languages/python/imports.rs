//! Which names a Python file takes from which module, and the same file taking one of them from elsewhere.

use std::ops::Range;

use tree_sitter::Node;

use super::authoring::module_name;
use crate::languages::nodes::visit;
use crate::languages::python::syntax::parse;

/// One `from … import …`, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromImport {
    /// Its bytes.
    pub range: Range<usize>,
    /// The module as it is written: `.limits`.
    pub written: String,
    /// The module in full: `pkg.limits`.
    pub module: String,
    /// Names there, and what they are called here when that is something else.
    pub names: Vec<(String, Option<String>)>,
    /// Whether it takes everything.
    pub is_star: bool,
}

/// All of them in a file of a project, in order.
pub fn from_imports(path: &str, source: &str, roots: &[String]) -> Vec<FromImport> {
    let own = module_name(path, roots);
    let package = if path.ends_with("__init__.py") { own.as_str() } else { own.rsplit_once('.').map_or("", |it| it.0) };
    let mut found = Vec::new();
    visit(parse(source).root_node(), &mut |node| {
        if node.kind() == "import_from_statement" {
            found.extend(read(node, source, package));
        }
    });
    found
}

fn read(node: Node, source: &str, package: &str) -> Option<FromImport> {
    let text = |node: Node| source[node.byte_range()].to_owned();
    let written = text(node.child_by_field_name("module_name")?);
    let mut cursor = node.walk();
    let is_star = node.named_children(&mut cursor).any(|it| it.kind() == "wildcard_import");
    let mut cursor = node.walk();
    let names = node.children_by_field_name("name", &mut cursor).map(|part| match part.kind() {
        "aliased_import" => {
            let name = part.child_by_field_name("name").map(text).unwrap_or_default();
            (name, part.child_by_field_name("alias").map(text))
        }
        _ => (text(part), None),
    });
    let names = names.collect();
    Some(FromImport { range: node.byte_range(), module: in_full(&written, package)?, written, names, is_star })
}

/// A module in full; `None` when it would lie above the package.
fn in_full(written: &str, package: &str) -> Option<String> {
    let name = written.trim_start_matches('.');
    let up = (written.len() - name.len()).checked_sub(1);
    let Some(up) = up else { return Some(name.to_owned()) };
    let mut parts: Vec<&str> = package.split('.').filter(|part| !part.is_empty()).collect();
    parts.truncate(parts.len().checked_sub(up)?);
    parts.extend(name.split('.').filter(|part| !part.is_empty()));
    Some(parts.join("."))
}

/// The file with every import of `name` from the module `from` taken from the module `to` beside it instead, whose last name is `stem`.
pub fn redirected(path: &str, source: &str, roots: &[String], (name, from, to): (&str, &str, &str)) -> String {
    let stem = to.rsplit('.').next().unwrap_or(to);
    let mut text = source.to_owned();
    for import in from_imports(path, source, roots).into_iter().rev().filter(|import| import.module == from) {
        let written = moved(&import.written, from, to, stem);
        let taken = |it: &(String, Option<String>)| match &it.1 {
            Some(alias) => format!("{} as {alias}", it.0),
            None => it.0.clone(),
        };
        let (own, others): (Vec<_>, Vec<_>) = import.names.iter().partition(|it| it.0 == name);
        if own.is_empty() {
            continue;
        }
        let list =
            |names: &[&(String, Option<String>)]| names.iter().map(|it| taken(it)).collect::<Vec<_>>().join(", ");
        let line = source[..import.range.start].rsplit('\n').next().unwrap_or_default();
        let new = format!("from {written} import {}", list(&own));
        let kept = format!("from {} import {}\n{line}", import.written, list(&others));
        let whole = if others.is_empty() { new } else { format!("{kept}{new}") };
        text.replace_range(import.range, &whole);
    }
    text
}

/// How the module `to` is written where `from` was written so.
pub fn moved(written: &str, from: &str, to: &str, stem: &str) -> String {
    // A module beside another one shares all but the last name; one inside of a package has one more.
    let is_inside = to.len() > from.len() && to.starts_with(from) && to[from.len()..].starts_with('.');
    match (is_inside, written.rsplit_once('.')) {
        (true, _) if written.ends_with('.') => format!("{written}{stem}"),
        (true, _) => format!("{written}.{stem}"),
        (false, Some((around, _))) => format!("{around}.{stem}"),
        (false, None) => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(path: &str, source: &str, from: &str, to: &str) -> String {
        redirected(path, source, &["src".to_owned()], ("f", from, to))
    }

    #[test]
    fn modules_are_known_in_full() {
        let source = "from . import a\nfrom ..b.c import d as e\nfrom x import *\n";
        let found = from_imports("src/pkg/sub/mod.py", source, &["src".to_owned()]);
        let modules: Vec<&str> = found.iter().map(|it| it.module.as_str()).collect();
        assert_eq!(modules, ["pkg.sub", "pkg.b.c", "x"]);
        assert_eq!(found[1].names, [("d".to_owned(), Some("e".to_owned()))]);
        assert!(found[2].is_star);
        assert_eq!(from_imports("src/pkg/__init__.py", "from . import a", &["src".to_owned()])[0].module, "pkg");
    }

    #[test]
    fn a_name_is_taken_from_its_new_module_and_the_others_stay() {
        let moved = redirect(
            "src/pkg/b.py",
            "if x:\n    from .a import (\n        e,\n        f as g,\n    )\n",
            "pkg.a",
            "pkg.tools",
        );
        assert_eq!(moved, "if x:\n    from .a import e\n    from .tools import f as g\n");
        assert_eq!(redirect("tests/t.py", "from pkg.a import f\n", "pkg.a", "pkg.tools"), "from pkg.tools import f\n");
        assert_eq!(
            redirect("tests/t.py", "from pkg import f, g\n", "pkg", "pkg.tools"),
            "from pkg import g\nfrom pkg.tools import f\n"
        );
        assert_eq!(redirect("src/pkg/b.py", "from . import f\n", "pkg", "pkg.tools"), "from .tools import f\n");
        assert_eq!(redirect("tests/t.py", "from other import f\n", "pkg.a", "pkg.tools"), "from other import f\n");
    }
}
