//! The operators, one file each, and the registry.

mod arithmetic;
mod break_continue;
mod constant;
mod default_argument;
mod logical;
mod negate_condition;
mod nullish;
mod relational_boundary;
mod relational_negate;
mod remove_guard;
mod remove_statement;
mod return_default;
mod similar_method;
mod slice_bounds;
mod swap_arguments;
mod swap_operands;

use crate::mutation::Operator;

/// Every operator; where two give the same text, the first one names it.
pub fn all() -> &'static [&'static dyn Operator] {
    &[
        &relational_boundary::RelationalBoundary,
        &relational_negate::RelationalNegate,
        &logical::Logical,
        &nullish::Nullish,
        &negate_condition::NegateCondition,
        &arithmetic::Arithmetic,
        &slice_bounds::SliceBounds,
        &similar_method::SimilarMethod,
        &default_argument::DefaultArgument,
        &constant::Constant,
        &swap_arguments::SwapArguments,
        &swap_operands::SwapOperands,
        &return_default::ReturnDefault,
        &remove_statement::RemoveStatement,
        &remove_guard::RemoveGuard,
        &break_continue::BreakContinue,
    ]
}

/// Mutations of the sign of every binary expression: each of what `others` says of it.
fn swap_sign(
    file: &crate::mutation::ParsedFile<'_>,
    name: &'static str,
    others: fn(&str) -> &'static [&'static str],
) -> Vec<crate::mutation::Mutation> {
    file.mutations_of(name, &["binary_expression"], |expression| {
        let Some(sign) = expression.child_by_field_name("operator") else { return Vec::new() };
        others(sign.kind()).iter().map(|other| crate::mutation::Edit::replace(sign, *other)).collect()
    })
}
