//! What a model is: where its parameters lie ([`layout`]), its weights in the forms that products need ([`weights`]), and
//! what is trained beside frozen ones ([`adapters`]).

pub(super) mod adapters;
pub(super) mod layout;
pub(super) mod tensor;
pub(super) mod weights;
