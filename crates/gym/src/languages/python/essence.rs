//! What a Python file says: its imports, its definitions, and its code, which is everything but comments, docstrings, line breaks and
//! the statement of its version.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::languages::python::syntax::parse;

/// One word of code, the mark of a block's beginning or its end, and the line it stands on, from 1.
type Word<'source> = (usize, &'source str);

/// Whether two files have the same code.
pub fn same_code(one: &str, other: &str) -> bool {
    let texts = |source| words(source).into_iter().map(|(_, text)| text.to_owned()).collect::<Vec<String>>();
    texts(one) == texts(other)
}

/// The lines on which there is code.
pub fn code_lines(source: &str) -> BTreeSet<usize> {
    words(source).into_iter().map(|(line, _)| line).collect()
}

/// Names of the functions, methods and classes that a file defines, at any depth.
pub fn definitions(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk(parse(source).root_node(), &mut |node| {
        if matches!(node.kind(), "function_definition" | "class_definition") {
            names.extend(node.child_by_field_name("name").map(|name| source[name.byte_range()].to_owned()));
        }
        true
    });
    names
}

/// The import statements outside functions and blocks.
pub fn imports(source: &str) -> Vec<&str> {
    let tree = parse(source);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let is_import = |node: &Node<'_>| {
        matches!(node.kind(), "import_statement" | "import_from_statement" | "future_import_statement")
    };
    root.children(&mut cursor).filter(is_import).map(|node| &source[node.byte_range()]).collect()
}

fn words(source: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    collect(parse(source).root_node(), source, &mut words);
    words
}

fn collect<'source>(node: Node<'_>, source: &'source str, words: &mut Vec<Word<'source>>) {
    if is_text(node, source) {
        return;
    }
    // The text of a string is one word: white space in it counts.
    if node.child_count() == 0 || node.kind() == "string" {
        let text = &source[node.byte_range()];
        if !text.trim().is_empty() {
            words.push((node.start_position().row + 1, text));
        }
        return;
    }
    let is_block = node.kind() == "block";
    if is_block {
        words.push((node.start_position().row + 1, "{"));
    }
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        collect(child, source, words);
    }
    if is_block {
        words.push((node.end_position().row + 1, "}"));
    }
}

/// Comments, bare strings and the version.
fn is_text(node: Node<'_>, source: &str) -> bool {
    match node.kind() {
        "comment" => true,
        "expression_statement" => node.named_child(0).is_some_and(|child| match child.kind() {
            "string" | "concatenated_string" => node.named_child_count() == 1,
            "assignment" => {
                let target = child.child_by_field_name("left").map_or("", |left| &source[left.byte_range()]);
                matches!(target, "__version__" | "version" | "VERSION" | "__version_info__")
            }
            _ => false,
        }),
        _ => false,
    }
}

fn walk(node: Node<'_>, visit: &mut dyn FnMut(Node<'_>) -> bool) {
    if visit(node) {
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            walk(child, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "\"\"\"Doc.\"\"\"\n__version__ = \"1\"\n\ndef f(x):\n    # why\n    if x:\n        x = 1\n    return x\n";

    #[test]
    fn comments_docstrings_line_breaks_and_versions_are_no_code() {
        let other = "\"\"\"Other.\"\"\"\n__version__ = \"2\"\ndef f(\n    x):\n    \"\"\"New.\"\"\"\n    if x:\n        x = 1\n\n    return x\n";
        assert!(same_code(SOURCE, other));
    }

    #[test]
    fn indentation_and_the_text_of_strings_are_code() {
        assert!(!same_code(SOURCE, &SOURCE.replace("    return x", "        return x")));
        assert!(!same_code("x = 'a b'", "x = 'a  b'"));
    }

    #[test]
    fn imports_are_whole_statements() {
        let source =
            "import a  # why\nfrom b import (\n    c,\n)\ntry:\n    import d\nexcept ImportError:\n    d = None\n";
        assert_eq!(imports(source), ["import a", "from b import (\n    c,\n)"]);
    }

    #[test]
    fn lines_of_code_and_definitions_are_known() {
        assert_eq!(code_lines("# a\nx = 1\n\n'text'\n").into_iter().collect::<Vec<_>>(), [2]);
        let source = "class A:\n    def f(self):\n        def g(): pass\n";
        assert_eq!(definitions(source).into_iter().collect::<Vec<_>>(), ["A", "f", "g"]);
    }
}
