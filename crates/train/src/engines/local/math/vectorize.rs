//! A macro that compiles a function once per instruction set (AVX-512, AVX2 with FMA, NEON, plain) and picks the best at run time.

use std::sync::LazyLock;

/// The best instruction set of this machine.
pub(crate) fn instruction_set() -> pulp::Arch {
    static SET: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);
    *SET
}

/// Defines functions whose loops the compiler vectorises for the instruction set found at run time. What they call must be inlined always.
macro_rules! vectorize {
    (@output) => { () };
    (@output $result:ty) => { $result };
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            struct Call<T>(T);
            impl pulp::WithSimd for Call<($($type,)*)> {
                type Output = vectorize!(@output $($result)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
                    let Call(($($arg,)*)) = self;
                    $body
                }
            }
            $crate::engines::local::math::vectorize::instruction_set().dispatch(Call(($($arg,)*)))
        }
    )*};
}

pub(crate) use vectorize;
