//! What a model is: where its parameters lie ([`layout`]), and its weights in the forms that products need ([`weights`]).

pub(super) mod layout;
pub(super) mod tensor;
pub(super) mod weights;
