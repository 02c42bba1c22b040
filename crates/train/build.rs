//! Has programs with the engine `gpu` find PyTorch's library when they start, and bring what it needs for GPUs. The tests and benches of this
//! crate are such programs, and so is `basis`, whose crate names this file.

const LIBRARY: &str = "DEP_TCH_LIBTORCH_LIB";

fn main() {
    println!("cargo::rerun-if-env-changed={LIBRARY}");
    let Ok(place) = std::env::var(LIBRARY) else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{place}");
    let for_gpus = std::path::Path::new(&place).join("libtorch_cuda.so");
    if for_gpus.exists() {
        // Nothing calls it: it registers itself when it is loaded.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,{},--as-needed", for_gpus.display());
    }
}
