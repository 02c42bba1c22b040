//! A macro that compiles a function once per instruction set (AVX-512, AVX2 with FMA, NEON, plain) and picks the best at run time.

use std::sync::LazyLock;

/// The best instruction set of this machine.
pub(crate) fn instruction_set() -> pulp::Arch {
    static SET: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);
    *SET
}

/// Defines functions that are compiled for each instruction set; the first argument is the one found at run time, and callers leave it out.
///
/// The compiler vectorises plain loops over slices; sums need [`pulp::Simd`]'s methods. What such a function calls must be inlined always, and
/// closures with loops must be avoided: both would be compiled for the plain instruction set.
macro_rules! vectorize {
    (@output) => { () };
    (@output $result:ty) => { $result };
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($simd:ident, $($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            struct Call<T>(T);
            impl pulp::WithSimd for Call<($($type,)*)> {
                type Output = vectorize!(@output $($result)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, simd: S) -> Self::Output {
                    // A function of its own, so that the compiler knows that its slices do not overlap.
                    #[inline(always)]
                    #[allow(clippy::too_many_arguments, reason = "one more than the function itself")]
                    fn body<S: pulp::Simd>($simd: S, $($arg: $type),*) $(-> $result)? $body
                    let Call(($($arg,)*)) = self;
                    body(simd, $($arg),*)
                }
            }
            $crate::engines::local::math::vectorize::instruction_set().dispatch(Call(($($arg,)*)))
        }
    )*};
}

pub(crate) use vectorize;
