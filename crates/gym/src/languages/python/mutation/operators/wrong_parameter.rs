//! One parameter is used where another one was meant.

use tree_sitter::Node;

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Uses the next parameter of the same function instead.
pub(super) struct WrongParameter;

impl Operator for WrongParameter {
    fn name(&self) -> &'static str {
        "wrong_parameter"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["identifier"], |name| {
            if is_read(name) { edits(file, name).unwrap_or_default() } else { Vec::new() }
        })
    }
}

fn edits(file: &ParsedFile<'_>, name: Node<'_>) -> Option<Vec<Edit>> {
    let parameters = parameters(file, enclosing_function(name)?);
    let position = parameters.iter().position(|parameter| *parameter == file.text(name))?;
    let next = parameters[(position + 1) % parameters.len()];
    Some(if parameters.len() > 1 { vec![Edit::replace(name, next)] } else { Vec::new() })
}

fn enclosing_function(name: Node<'_>) -> Option<Node<'_>> {
    let mut node = name;
    loop {
        let parent = node.parent()?;
        match parent.kind() {
            "function_definition" => return (node.kind() == "block").then_some(parent),
            "lambda" | "class_definition" => return None,
            _ => node = parent,
        }
    }
}

fn parameters<'source>(file: &ParsedFile<'source>, function: Node<'_>) -> Vec<&'source str> {
    let Some(list) = function.child_by_field_name("parameters") else { return Vec::new() };
    let mut cursor = list.walk();
    let names = list.named_children(&mut cursor).filter_map(|parameter| match parameter.kind() {
        "identifier" => Some(parameter),
        "typed_parameter" => parameter.named_child(0).filter(|name| name.kind() == "identifier"),
        "default_parameter" | "typed_default_parameter" => parameter.child_by_field_name("name"),
        _ => None,
    });
    names.map(|name| file.text(name)).filter(|name| !matches!(*name, "self" | "cls")).collect()
}

/// An operand, an argument, a bound or a returned value; not a target, a callee, or the name of a keyword or attribute.
fn is_read(name: Node<'_>) -> bool {
    let Some(parent) = name.parent() else { return false };
    let is_field = |field| parent.child_by_field_name(field).is_some_and(|node| node.id() == name.id());
    match parent.kind() {
        "binary_operator" | "comparison_operator" | "boolean_operator" | "argument_list" | "return_statement" => true,
        "slice" | "unary_operator" | "not_operator" | "conditional_expression" => true,
        "subscript" => is_field("subscript"),
        "assignment" | "augmented_assignment" => is_field("right"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn reads_use_the_next_parameter() {
        check(&WrongParameter, "x = a\nreturn x + b", &["x = b\nreturn x + b", "x = a\nreturn x + a"]);
    }

    #[test]
    fn targets_callees_and_keywords_stay() {
        check(&WrongParameter, "a = c\nb.a = c\na(b=c)", &[]);
    }
}
