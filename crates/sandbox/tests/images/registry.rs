//! Pulling from a real registry.

use std::net::TcpListener;

use basis_sandbox::images::{Credentials, ImageError};
use serde_json::{Value, json};

use crate::build::{Compression, images, message, pull};
use crate::pull::sample;
use crate::service::Registry;

#[test]
fn an_image_comes_whole_out_of_a_real_registry() {
    let Some(registry) = Registry::start(false) else { return };
    let layout = sample(Compression::Gzip);
    registry.push(&layout, "team/small", "1");
    let (_directory, images) = images();
    let image = pull(&images, &format!("{}/team/small:1", registry.address)).expect("pulled");
    assert_eq!(image.digest, layout.manifest);
    assert_eq!(std::fs::read(image.layers[1].join("bin/tool")).expect("read"), b"new");
    let pinned = format!("{}/team/small@{}", registry.address, layout.manifest);
    assert_eq!(pull(&images, &pinned).expect("pulled").layers, image.layers);
    let text = message(pull(&images, &format!("{}/team/small:2", registry.address)));
    assert!(text.contains("manifest unknown") && text.contains("check name and tag"), "{text}");
}

#[test]
fn an_index_is_resolved_to_this_platform() {
    let Some(registry) = Registry::start(false) else { return };
    let layout = sample(Compression::Zstd);
    registry.push(&layout, "multi", "own");
    let one = |architecture: &str| -> Value {
        let size = std::fs::metadata(layout.blob(&layout.manifest)).expect("there").len();
        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": layout.manifest, "size": size,
                "platform": { "os": "linux", "architecture": architecture } })
    };
    let kind = "application/vnd.oci.image.index.v1+json";
    let put = |tag: &str, manifests: Vec<Value>| {
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": manifests });
        registry.put_manifest("multi", tag, kind, index.to_string().as_bytes());
    };
    put("all", vec![one("s390x"), one(crate::build::architecture())]);
    put("foreign", vec![one("s390x"), one("riscv64")]);
    let (_directory, images) = images();
    let image = pull(&images, &format!("{}/multi:all", registry.address)).expect("pulled");
    assert_eq!(image.digest, layout.manifest);
    let foreign = pull(&images, &format!("{}/multi:foreign", registry.address));
    assert!(message(foreign).contains("only for linux/s390x, linux/riscv64"));
}

#[test]
fn a_registry_that_wants_a_password_gets_it_or_denies() {
    let Some(registry) = Registry::start(true) else { return };
    registry.push(&sample(Compression::Gzip), "private", "1");
    let (_directory, images) = images();
    let reference = format!("{}/private:1", registry.address).parse().expect("a reference");
    let with = |user: &str, password: &str| {
        images.pull(&reference, &Credentials::Password { user: user.into(), password: password.into() })
    };
    with("user", "secret").expect("pulled");
    for denied in [with("user", "wrong"), with("nobody", "secret"), images.pull(&reference, &Credentials::Anonymous)] {
        match denied {
            Err(error @ ImageError::Denied { .. }) => assert!(error.to_string().contains("docker login"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_registry_that_is_not_there_cannot_be_reached() {
    let (_directory, images) = images();
    let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("known").port();
    match pull(&images, &format!("localhost:{free}/x:1")) {
        Err(error @ ImageError::Unreachable { .. }) => assert!(error.to_string().contains("check the name"), "{error}"),
        other => panic!("{other:?}"),
    }
}
