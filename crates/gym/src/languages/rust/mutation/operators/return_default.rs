//! A function gives the simplest value of its type (as `cargo-mutants` does).

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Replaces bodies by a default of the return type.
pub(super) struct ReturnDefault;

impl Operator for ReturnDefault {
    fn name(&self) -> &'static str {
        "return_default"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["block"], |block| {
            let Some(function) = block.parent().filter(|it| it.kind() == "function_item") else { return Vec::new() };
            let Some(kind) = function.child_by_field_name("return_type") else { return Vec::new() };
            let values = defaults(file.text(kind)).iter().map(|value| format!("{{ {value} }}"));
            values.map(|value| Edit::replace(block, value)).collect()
        })
    }
}

fn defaults(kind: &str) -> &'static [&'static str] {
    match kind.split('<').next().unwrap_or(kind).trim() {
        "bool" => &["true", "false"],
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            &["0", "1"]
        }
        "f32" | "f64" => &["0.0"],
        "String" => &["String::new()"],
        "Vec" => &["Vec::new()"],
        "Option" => &["None"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_simple_type_has_a_default() {
        assert_eq!(defaults("Option<Vec<u8>>"), ["None"]);
        assert_eq!(defaults("bool"), ["true", "false"]);
        assert!(defaults("Self").is_empty());
    }
}
