//! What a model is: where its parameters lie ([`layout`]), its weights in the forms that products need ([`weights`]), and
//! what is trained beside frozen ones ([`adapters`]).

pub(crate) mod adapters;
pub(crate) mod layout;
pub(super) mod tensor;
pub(crate) mod weights;
