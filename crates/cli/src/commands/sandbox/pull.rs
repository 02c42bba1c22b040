//! `basis sandbox pull`: gets a container image without a daemon.

use basis_sandbox::images::Reference;

use crate::context::Context;
use crate::exit::Failure;
use crate::images;

/// Get a container image, without a daemon
///
/// Its layers are unpacked below `cache.dir` and kept there within `images.cache_mib`. Logins of `docker login` and `podman
/// login` are used. `docs/guides/images.md` says more.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `debian:12`, `registry/name:tag`, `name@sha256:…`, `oci:DIRECTORY`, `oci-archive:FILE` or `docker-archive:FILE`
    image: String,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let reference: Reference = arguments.image.parse()?;
    let cache = images::cache(&context.settings)?;
    context.printer.say(format_args!("pulling {reference}"));
    let image = cache.pull(&reference, &images::credentials(&reference))?;
    if context.printer.is_json() {
        let layers: Vec<String> = image.layers.iter().map(|path| path.display().to_string()).collect();
        context.printer.json(&serde_json::json!({
            "image": reference.to_string(), "digest": image.digest, "layers": layers, "config": image.config,
        }));
    } else {
        let count = image.layers.len();
        context.printer.data(format_args!("{reference}: {count} layers, {}", image.digest));
    }
    Ok(())
}
