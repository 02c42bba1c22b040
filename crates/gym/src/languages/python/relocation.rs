//! A function leaves its module: what it needs there, whether the module needs it, and both modules afterwards.

use std::collections::BTreeSet;
use std::ops::Range;

use super::imports::{FromImport, moved};
use super::syntax::{functions, parse};
use super::top::{Kind, Statement, is_label, statements};
use crate::languages::nodes::{find, visit};

/// What a function that leaves its module has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Its lines.
    pub lines: Range<usize>,
    /// Names that its module defines and it needs.
    pub needed: Vec<String>,
    /// Whether the rest of the module uses it.
    pub is_used: bool,
    /// Import statements with names that it needs, and what is left of each.
    imports: Vec<String>,
}

/// What leaving means for a function at the top of a module.
///
/// # Errors
/// Why it cannot leave mechanically.
pub fn leaving(source: &str, name: &str) -> Result<Leaving, String> {
    let span = functions(source).into_iter().find(|span| span.class.is_none() && span.name == name);
    let all = statements(source);
    let own = all.iter().find(|it| it.kind == Kind::Definition && it.names.len() == 1 && it.names[0] == name);
    let (Some(span), Some(own)) = (span, own) else { return Err("it does not stand at the top".to_owned()) };
    let text = &source[own.range.clone()];
    let is_bound = |node: tree_sitter::Node| (node.kind() == "global_statement").then(String::new);
    if own.range.start != span.start || find(parse(text).root_node(), &mut |node| is_bound(node)).is_some() {
        return Err("it changes what its module has".to_owned());
    }
    let mut needs = own.uses.clone();
    needs.remove(name);
    let others = || all.iter().filter(|it| it.range != own.range);
    if let Some(unsure) =
        others().filter(|it| it.kind == Kind::Other).flat_map(|it| &it.names).find(|it| needs.contains(*it))
    {
        return Err(format!("`{unsure}` is made in a block"));
    }
    let defined = others().filter(|it| it.kind == Kind::Definition).flat_map(|it| &it.names);
    let needed: BTreeSet<&String> = defined.filter(|it| needs.contains(*it)).collect();
    let is_used = others().any(|it| it.uses.contains(name));
    let imports = others().filter(|it| is_import(it)).filter_map(|it| narrowed(source, it, &needs)).collect();
    let start = source[..own.range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[own.range.end..].find('\n').map_or(source.len(), |at| own.range.end + at + 1);
    Ok(Leaving { lines: start..end, needed: needed.into_iter().cloned().collect(), is_used, imports })
}

fn is_import(statement: &Statement) -> bool {
    matches!(statement.kind, Kind::Import | Kind::AliasedImport)
}

/// An import with those of its names that are needed; whole when it takes everything.
fn narrowed(source: &str, statement: &Statement, needs: &BTreeSet<String>) -> Option<String> {
    let text = &source[statement.range.clone()];
    if statement.names.is_empty() {
        return Some(text.to_owned());
    }
    let syntax = parse(text);
    let node = syntax.root_node().named_child(0)?;
    let mut cursor = node.walk();
    let parts = node.children_by_field_name("name", &mut cursor).zip(&statement.names);
    let kept: Vec<&str> =
        parts.filter(|(_, name)| needs.contains(*name)).map(|(part, _)| &text[part.byte_range()]).collect();
    let head = node
        .child_by_field_name("module_name")
        .map_or("import".to_owned(), |it| format!("from {} import", &text[it.byte_range()]));
    (!kept.is_empty()).then(|| format!("{head} {}", kept.join(", ")))
}

/// The module without the function and the new module with it. `from` and `to` are their names in full.
pub fn relocated(
    source: &str,
    name: &str,
    leaving: &Leaving,
    (from, to): (&str, &str),
    takes_back: bool,
) -> (String, String) {
    let stem = to.rsplit('.').next().unwrap_or(to);
    let is_inside = to.len() > from.len() && to.starts_with(&format!("{from}."));
    let in_package = to.contains('.');
    let relative = |stem: &str| if in_package { format!(".{stem}") } else { stem.to_owned() };
    let mut head: Vec<String> = Vec::new();
    let is_future = |it: &String| it.starts_with("from __future__");
    if let Some(future) = source.lines().find(|line| line.starts_with("from __future__ import")) {
        head.push(future.to_owned());
    }
    head.extend(leaving.imports.iter().filter(|it| !is_future(it)).cloned());
    if !leaving.needed.is_empty() {
        let own = if is_inside { ".".to_owned() } else { relative(from.rsplit('.').next().unwrap_or(from)) };
        head.push(format!("from {own} import {}", leaving.needed.join(", ")));
    }
    let body = source[leaving.lines.clone()].trim_end();
    let new = if head.is_empty() { format!("{body}\n") } else { format!("{}\n\n\n{body}\n", head.join("\n")) };
    let mut old = source.to_owned();
    old.replace_range(leaving.lines.clone(), "");
    if takes_back {
        let line = format!("from {} import {name}\n", relative(stem));
        // A package whose names the function needs has to have them first.
        match leaving.needed.is_empty() {
            true => old.insert_str(last_import(&old), &line),
            false => old = format!("{}\n\n{line}", old.trim_end()),
        }
    } else {
        old = without_export(&old, name);
    }
    (old, new)
}

/// Where an import may be added: behind the last one at the top, or the documentation.
fn last_import(source: &str) -> usize {
    let syntax = parse(source);
    let mut cursor = syntax.root_node().walk();
    let is_head = |node: &tree_sitter::Node| {
        let is_text =
            node.kind() == "expression_statement" && node.named_child(0).is_some_and(|it| it.kind() == "string");
        node.kind().contains("import") || node.start_position().row == 0 && (is_text || node.kind() == "comment")
    };
    let end = syntax.root_node().named_children(&mut cursor).filter(is_head).last().map_or(0, |node| node.end_byte());
    if end == 0 { 0 } else { source[end..].find('\n').map_or(source.len(), |at| end + at + 1) }
}

/// The module without a name in its `__all__`.
fn without_export(source: &str, name: &str) -> String {
    let mut place = None;
    visit(parse(source).root_node(), &mut |node| {
        let assigned = node.kind() == "assignment"
            && node.child_by_field_name("left").is_some_and(|it| &source[it.byte_range()] == "__all__");
        if assigned {
            visit(node, &mut |inner| {
                let text = &source[inner.byte_range()];
                if inner.kind() == "string" && text.trim_matches(['\'', '"']) == name {
                    place = Some(inner.byte_range());
                }
            });
        }
    });
    let Some(place) = place else { return source.to_owned() };
    let rest = &source[place.end..];
    let comma = rest.trim_start().starts_with(',').then(|| rest.find(',').map_or(0, |at| at + 1));
    let end = place.end + comma.unwrap_or(0);
    let end = end + source[end..].len() - source[end..].trim_start_matches([' ', '\n']).len();
    format!("{}{}", &source[..place.start], &source[end..])
}

/// Whether a file reaches the name as a part of something else: `module.name`.
pub fn reaches(source: &str, name: &str) -> bool {
    let mut is_reached = false;
    visit(parse(source).root_node(), &mut |node| {
        is_reached |= node.kind() == "identifier"
            && is_label(node)
            && &source[node.byte_range()] == name
            && node.parent().is_some_and(|it| it.kind() == "attribute");
    });
    is_reached
}

/// A file that takes everything from the old module, and the function from the new one.
pub fn beside_star(source: &str, star: &FromImport, name: &str, (from, to): (&str, &str)) -> String {
    let stem = to.rsplit('.').next().unwrap_or(to);
    let end = source[star.range.end..].find('\n').map_or(source.len(), |at| star.range.end + at + 1);
    let mut text = source.to_owned();
    text.insert_str(end, &format!("from {} import {name}\n", moved(&star.written, from, to, stem)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\"\"\"Doc.\"\"\"\nimport re\nfrom math import floor, ceil as up\n\n__all__ = ['f', 'g']\nLIMIT = 3\n\n\ndef f(x):\n    return floor(x) + up(LIMIT)\n\n\ndef g(x):\n    return re.sub('a', 'b', x)\n";

    #[test]
    fn a_function_takes_along_what_it_needs() {
        let known = leaving(SOURCE, "f").expect("it can leave");
        assert_eq!((known.needed.as_slice(), known.is_used), (["LIMIT".to_owned()].as_slice(), false));
        let (old, new) = relocated(SOURCE, "f", &known, ("pkg.a", "pkg.tools"), false);
        assert_eq!(
            new,
            "from math import floor, ceil as up\nfrom .a import LIMIT\n\n\ndef f(x):\n    return floor(x) + up(LIMIT)\n"
        );
        assert!(!old.contains("def f") && old.contains("__all__ = ['g']") && old.contains("def g"), "{old}");
    }

    #[test]
    fn a_module_that_uses_it_takes_it_back() {
        let source = format!("{SOURCE}\n\nprint(g('a'))\n");
        let known = leaving(&source, "g").expect("it can leave");
        assert!(known.is_used && known.needed.is_empty());
        let (old, new) = relocated(&source, "g", &known, ("a", "tools"), true);
        assert!(old.contains("import floor, ceil as up\nfrom tools import g\n"), "{old}");
        assert_eq!(new, "import re\n\n\ndef g(x):\n    return re.sub('a', 'b', x)\n");
    }

    #[test]
    fn what_a_block_makes_or_what_changes_its_module_stays() {
        assert!(leaving("try:\n    import m\nexcept E:\n    m = None\ndef f():\n    return m\n", "f").is_err());
        assert!(leaving("n = 1\ndef f():\n    global n\n    n = 2\n", "f").is_err());
        assert!(leaving("if a:\n    def f():\n        pass\n", "f").is_err());
    }

    #[test]
    fn a_name_that_is_a_part_of_something_is_reached() {
        assert!(reaches("import m\nm.f(1)\n", "f"));
        assert!(!reaches("f(1, f=2)\n", "f"));
    }
}
