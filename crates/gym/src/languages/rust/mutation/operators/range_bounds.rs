//! The last element of a range is taken in or left out.

use crate::mutation::{Edit, Mutation, Operator, ParsedFile};

/// Swaps `..` and `..=`.
pub(super) struct RangeBounds;

impl Operator for RangeBounds {
    fn name(&self) -> &'static str {
        "range_bounds"
    }

    fn mutations(&self, file: &ParsedFile<'_>) -> Vec<Mutation> {
        file.mutations_of(self.name(), &["range_expression"], |range| {
            let mut cursor = range.walk();
            let sign = range.children(&mut cursor).find(|child| matches!(child.kind(), ".." | "..="));
            // Without an end there is nothing to take in.
            let has_end = sign.is_some_and(|sign| sign.next_sibling().is_some());
            let other = sign.filter(|_| has_end).map(|sign| (sign, if sign.kind() == ".." { "..=" } else { ".." }));
            other.map(|(sign, other)| Edit::replace(sign, other)).into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::rust::mutation::tests::check;

    #[test]
    fn ranges_with_an_end_change() {
        check(&RangeBounds, "g(a..b)", &["g(a..=b)"]);
        check(&RangeBounds, "g(a..)", &[]);
    }
}
