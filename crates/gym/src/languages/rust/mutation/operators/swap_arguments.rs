//! Two arguments in the wrong order.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps neighbouring arguments.
pub(super) struct SwapArguments;

impl Operator for SwapArguments {
    fn name(&self) -> &'static str {
        "swap_arguments"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["arguments"], |arguments| {
            let mut cursor = arguments.walk();
            let all: Vec<_> = arguments.named_children(&mut cursor).collect();
            let pairs = all.windows(2).filter(|pair| file.text(pair[0]) != file.text(pair[1]));
            pairs
                .map(|pair| {
                    let between = &file.source()[pair[0].end_byte()..pair[1].start_byte()];
                    let range = pair[0].start_byte()..pair[1].end_byte();
                    Edit { range, after: format!("{}{between}{}", file.text(pair[1]), file.text(pair[0])) }
                })
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn neighbours_are_swapped() {
        check(&SwapArguments, "g(a, b)", &["g(b, a)"]);
        check(&SwapArguments, "g(a)", &[]);
    }
}
