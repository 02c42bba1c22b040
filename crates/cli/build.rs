//! Has the program with the engine `gpu` find PyTorch's library when it starts, and bring what it needs for GPUs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Ok(place) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{place}");
    let for_gpus = std::path::Path::new(&place).join("libtorch_cuda.so");
    if for_gpus.exists() {
        // Nothing calls it: it registers itself when it is loaded.
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,{},--as-needed", for_gpus.display());
    }
}
