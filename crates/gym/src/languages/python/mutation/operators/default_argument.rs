//! The default value of a parameter is slightly different.

use tree_sitter::Node;

use super::constant::neighbours;
use crate::mutation::{Mutation, Operator, ParsedFile};

/// Changes a literal default.
pub(super) struct DefaultArgument;

impl Operator for DefaultArgument {
    fn name(&self) -> &'static str {
        "default_argument"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["default_parameter", "typed_default_parameter"], |parameter| {
            let literal = parameter.child_by_field_name("value").map(unsigned);
            literal.map(|literal| neighbours(file, literal)).unwrap_or_default()
        })
    }
}

/// The number behind a sign, or the node itself.
fn unsigned(value: Node<'_>) -> Node<'_> {
    match value.kind() {
        "unary_operator" => value.child_by_field_name("argument").unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::python::mutation::tests::check;

    #[test]
    fn literal_defaults_change() {
        check(&DefaultArgument, "def g(x, y=2): pass", &["def g(x, y=3): pass", "def g(x, y=1): pass"]);
        check(&DefaultArgument, "def g(y: bool = True): pass", &["def g(y: bool = False): pass"]);
        check(&DefaultArgument, "def g(y=None): pass", &[]);
    }

    #[test]
    fn defaults_belong_to_their_function() {
        let file = ParsedFile::parse(
            &crate::languages::python::mutation::rules::Python,
            "a.py",
            "class A:\n    def g(self, x=1):\n        pass\n",
        )
        .unwrap();
        assert_eq!(DefaultArgument.mutations(&file)[0].function, "A.g");
    }
}
