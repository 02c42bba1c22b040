//! The operators, one file each, and the registry.

mod arithmetic;
mod binary;
mod break_continue;
mod constant;
mod logical;
mod match_guard;
mod negate_condition;
mod range_bounds;
mod relational_boundary;
mod relational_negate;
mod remove_call;
mod remove_guard;
mod return_default;
mod similar_method;
mod swap_arguments;
mod swap_operands;

use crate::mutation::Operator;

/// Every operator; where two give the same text, the first one names it.
pub fn all() -> &'static [&'static dyn Operator] {
    &[
        &relational_boundary::RelationalBoundary,
        &relational_negate::RelationalNegate,
        &logical::Logical,
        &negate_condition::NegateCondition,
        &arithmetic::Arithmetic,
        &range_bounds::RangeBounds,
        &similar_method::SimilarMethod,
        &constant::Constant,
        &swap_arguments::SwapArguments,
        &swap_operands::SwapOperands,
        &match_guard::MatchGuard,
        &remove_guard::RemoveGuard,
        &remove_call::RemoveCall,
        &break_continue::BreakContinue,
        &return_default::ReturnDefault,
    ]
}
