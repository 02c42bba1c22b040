//! Where a name of a project is defined and used, and the same project with another name for it.

use tree_sitter::Node;

use crate::languages::nodes::visit_all;
use crate::languages::python::syntax::parse;

/// What a name is in one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// Functions at the top of the file that have it.
    pub functions: usize,
    /// Other things that have it: methods, classes, parameters, keyword arguments, targets of assignments.
    pub others: usize,
    /// Everything else that is spelled like it: calls, imports, attributes.
    pub references: usize,
    /// Texts that hold it as a word, but for docstrings.
    pub texts: usize,
}

/// What a name is in a file.
pub fn uses(source: &str, name: &str) -> Uses {
    let mut uses = Uses::default();
    visit_all(parse(source).root_node(), &mut |node| match node.kind() {
        "identifier" if &source[node.byte_range()] == name => match role(node) {
            Role::Function => uses.functions += 1,
            Role::Other => uses.others += 1,
            Role::Reference => uses.references += 1,
        },
        "string" if is_exported(node, source, name) => uses.references += 1,
        "string" if !is_docstring(node) && has_word(&source[node.byte_range()], name) => uses.texts += 1,
        _ => {}
    });
    uses
}

/// The file with another name in the place of every identifier of a name, also in `__all__`, docstrings and comments.
pub fn renamed(source: &str, name: &str, other: &str) -> String {
    let mut places = Vec::new();
    visit_all(parse(source).root_node(), &mut |node| {
        let is_told = node.kind() == "comment"
            || node.kind() == "string" && (is_docstring(node) || is_exported(node, source, name));
        if node.kind() == "identifier" && &source[node.byte_range()] == name {
            places.push(node.byte_range());
        } else if is_told {
            let text = &source[node.byte_range()];
            let found = text.match_indices(name).filter(|(at, _)| is_whole(text, *at, name.len()));
            places.extend(found.map(|(at, _)| node.start_byte() + at..node.start_byte() + at + name.len()));
        }
    });
    let mut text = source.to_owned();
    places.sort_by_key(|place| place.start);
    places.dedup();
    places.into_iter().rev().for_each(|place| text.replace_range(place, other));
    text
}

enum Role {
    Function,
    Other,
    Reference,
}

fn role(node: Node) -> Role {
    let Some(parent) = node.parent() else { return Role::Reference };
    let is = |field: &str| parent.child_by_field_name(field) == Some(node);
    match parent.kind() {
        "function_definition" if is("name") => {
            let around = parent.parent().filter(|around| around.kind() == "decorated_definition").unwrap_or(parent);
            let is_top = around.parent().is_some_and(|module| module.kind() == "module");
            if is_top { Role::Function } else { Role::Other }
        }
        "class_definition" if is("name") => Role::Other,
        "assignment" | "augmented_assignment" | "for_statement" | "for_in_clause" if is("left") => Role::Other,
        "keyword_argument" | "default_parameter" | "typed_default_parameter" | "named_expression" if is("name") => {
            Role::Other
        }
        "parameters" | "lambda_parameters" | "typed_parameter" | "pattern_list" | "tuple_pattern"
        | "as_pattern_target" => Role::Other,
        "aliased_import" if is("alias") => Role::Other,
        _ => Role::Reference,
    }
}

fn is_docstring(node: Node) -> bool {
    node.parent().is_some_and(|parent| parent.kind() == "expression_statement")
}

/// Whether a text is the name in `__all__`.
fn is_exported(node: Node, source: &str, name: &str) -> bool {
    let text = source[node.byte_range()].trim_matches(['\'', '"']);
    let assigned = std::iter::successors(node.parent(), Node::parent).find_map(|it| it.child_by_field_name("left"));
    text == name && assigned.is_some_and(|target| &source[target.byte_range()] == "__all__")
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_whole(text, at, word.len()))
}

fn is_whole(text: &str, at: usize, length: usize) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    !text[..at].ends_with(is_part) && !text[at + length..].starts_with(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
from m import cap

def cap(x):
    \"\"\"Like cap, not caps.\"\"\"
    return cap(x) + m.cap

class A:
    def cap(self, cap=1):
        return f(cap=2), 'cap'

__all__ = ['cap', 'other']
";

    #[test]
    fn a_name_is_told_apart_by_what_it_is() {
        assert_eq!(uses(SOURCE, "cap"), Uses { functions: 1, others: 3, references: 4, texts: 1 });
        assert_eq!(uses(SOURCE, "caps"), Uses::default());
    }

    #[test]
    fn every_identifier_gets_the_other_name() {
        let text = renamed(
            "def cap(x):\n    \"\"\"Like cap, not caps.\"\"\"\n    return cap(x), 'cap'  # cap\n",
            "cap",
            "limit",
        );
        assert_eq!(text, "def limit(x):\n    \"\"\"Like limit, not caps.\"\"\"\n    return limit(x), 'cap'  # limit\n");
    }
}
