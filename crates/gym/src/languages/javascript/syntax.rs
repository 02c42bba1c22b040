//! JavaScript and TypeScript syntax as byte ranges: what a node defines, and the functions of a file.

use std::ops::Range;

use tree_sitter::{Language, Node, Parser, Tree};

use crate::languages::FunctionSpan;
use crate::mutation::Definition;

/// Functions without a name of their own.
const FUNCTIONS: [&str; 4] = ["arrow_function", "function_expression", "generator_function", "function"];
/// Classes in all positions.
const CLASSES: [&str; 3] = ["class_declaration", "class", "abstract_class_declaration"];
/// The name of what `export default` gives without one.
const DEFAULT: &str = "default";

/// The grammar of a file, by the end of its name.
pub(super) fn grammar(path: &str) -> Language {
    match path.rsplit('.').next() {
        Some("ts" | "mts" | "cts") => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        Some("tsx") => tree_sitter_typescript::LANGUAGE_TSX.into(),
        _ => tree_sitter_javascript::LANGUAGE.into(),
    }
}

/// Parses text whose file name is not known: as JavaScript, or as TypeScript if only that goes without an error.
pub(super) fn parse(source: &str) -> Tree {
    let script = parse_as("a.js", source);
    let others = || ["a.ts", "a.tsx"].into_iter().map(|path| parse_as(path, source));
    match script.root_node().has_error() {
        true => others().find(|tree| !tree.root_node().has_error()).unwrap_or(script),
        false => script,
    }
}

/// Parses text in the grammar of a path.
pub(super) fn parse_as(path: &str, source: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&grammar(path)).expect("the grammar fits the parser's version");
    parser.parse(source, None).expect("parsing is never cancelled")
}

/// Whether a file has no syntax error that a grammar notices.
pub fn is_valid(source: &str) -> bool {
    !parse(source).root_node().has_error()
}

/// All functions with a name in order of their first byte: declarations, methods, and functions that a variable, a property or
/// `export default` gets. A file with syntax errors gives those that could be recognised.
pub fn functions(source: &str) -> Vec<FunctionSpan> {
    let tree = parse(source);
    let mut spans = Vec::new();
    collect(tree.root_node(), None, source, &mut spans);
    spans
}

fn collect(node: Node, class: Option<&str>, source: &str, spans: &mut Vec<FunctionSpan>) {
    let inner = match definition(node, source) {
        Some(Definition::Function(name)) => {
            spans.push(span(node, name, class));
            None
        }
        Some(Definition::Class(name)) => Some(name),
        None => class,
    };
    node.named_children(&mut node.walk()).for_each(|child| collect(child, inner, source, spans));
}

fn span(node: Node, name: &str, class: Option<&str>) -> FunctionSpan {
    let whole = outermost(node);
    FunctionSpan {
        name: name.to_owned(),
        class: class.map(str::to_owned),
        start: whole.start_byte(),
        end: whole.end_byte(),
        line_start: whole.start_position().row + 1,
        line_end: whole.end_position().row + 1,
        docstring: None,
    }
}

/// The statement around a definition, where it holds nothing else.
fn outermost(node: Node) -> Node {
    let only = |parent: &Node| match parent.kind() {
        "lexical_declaration" | "variable_declaration" => parent.named_child_count() == 1,
        kind => matches!(kind, "export_statement" | "expression_statement"),
    };
    std::iter::successors(Some(node), |node| node.parent().filter(only)).last().unwrap_or(node)
}

/// What a node defines, if mutations and functions are named after it.
pub(super) fn definition<'source>(node: Node, source: &'source str) -> Option<Definition<'source>> {
    let field = |name| node.child_by_field_name(name);
    let text = |node: Node| &source[node.byte_range()];
    let holds_function = |name| field(name).is_some_and(|value| FUNCTIONS.contains(&value.kind()));
    let function = |name: Node| Some(Definition::Function(last_name(text(name))));
    match node.kind() {
        "function_declaration" | "generator_function_declaration" | "method_definition" => function(field("name")?),
        "variable_declarator" if holds_function("value") => function(field("name")?),
        "field_definition" | "public_field_definition" if holds_function("value") => {
            function(field("property").or_else(|| field("name"))?)
        }
        "pair" if holds_function("value") => function(field("key")?),
        "assignment_expression" if holds_function("right") => function(field("left")?),
        "export_statement" if holds_function("value") => Some(Definition::Function(DEFAULT)),
        kind if CLASSES.contains(&kind) => Some(Definition::Class(field("name").map_or(DEFAULT, text))),
        _ => None,
    }
}

/// `parse` of `exports.parse` and of `'parse'`.
fn last_name(target: &str) -> &str {
    target.rsplit('.').next().unwrap_or(target).trim_matches(['\'', '"', '[', ']'])
}

/// What a string literal or a template without substitutions says, as bytes of the source between the quotes.
pub(super) fn text_of(node: Node) -> Option<Range<usize>> {
    let plain = match node.kind() {
        "string" => true,
        "template_string" => {
            !node.named_children(&mut node.walk()).any(|child| child.kind() == "template_substitution")
        }
        _ => false,
    };
    plain.then(|| node.start_byte() + 1..node.end_byte() - 1)
}

/// Whether a node is a function in the place of a value.
pub(super) fn is_function(node: Node) -> bool {
    FUNCTIONS.contains(&node.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        functions(source).iter().map(FunctionSpan::qualified).collect()
    }

    #[test]
    fn functions_are_named_by_what_holds_them() {
        let source = "export default function limit(n) {}\nconst add = (a, b) => a + b;\nexports.sub = function (a) {};\n\
            class Box { get(k) { return () => k; } static make = () => 1; #hide() {} }\nexport const map = { each(f) {}, some: x => x };\n";
        assert_eq!(names(source), ["limit", "add", "sub", "Box.get", "Box.make", "Box.#hide", "each", "some"]);
    }

    #[test]
    fn a_function_spans_its_whole_statement() {
        let source = "'use strict';\nexport const add = (a, b) => {\n  return a + b;\n};\n";
        let span = &functions(source)[0];
        assert_eq!((span.line_start, span.line_end), (2, 4));
        assert!(source[span.start..span.end].starts_with("export const add"));
    }

    #[test]
    fn types_are_understood() {
        let source = "interface A { x: number }\nexport function f<T>(x: T, y?: number): T | undefined { return x; }\n";
        assert_eq!(names(source), ["f"]);
        assert!(is_valid(source) && !is_valid("function ( {"));
    }

    #[test]
    fn a_default_export_without_a_name_is_a_function() {
        assert_eq!(names("export default (a) => a + 1;\n"), ["default"]);
    }
}
