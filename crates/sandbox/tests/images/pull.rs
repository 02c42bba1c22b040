//! What comes of an honest image.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::json;
use tar::EntryType;

use crate::build::{Compression, Layer, Layout, images, message, pull};

/// Two layers with everything that a layer may have.
pub(crate) fn sample(compression: Compression) -> Layout {
    let lower = Layer::new()
        .directory("./")
        .directory("./bin/")
        .file("./bin/tool", b"one", 0o4755)
        .file("/etc/secret", b"two", 0o000)
        .file("old/a", b"3", 0o644)
        .file("old/b", b"4", 0o644)
        .file("hidden/x", b"5", 0o644)
        .directory("dev")
        .entry(EntryType::Char, "dev/null", "", b"", 0o666)
        .link(EntryType::Symlink, "absolute", "/etc/passwd")
        .link(EntryType::Symlink, "up", "../../../../etc/passwd")
        .link(EntryType::Link, "hard", "bin/tool")
        .entry(EntryType::Fifo, "fifo", "", b"", 0o644);
    let upper = Layer::new()
        .file("bin/tool", b"new", 0o755)
        .file("old/.wh.a", b"", 0)
        .file("hidden/.wh..wh..opq", b"", 0)
        .file("hidden/y", b"6", 0o644)
        .file(".wh..wh.plnk", b"", 0);
    let run = json!({ "Env": ["PATH=/bin", "A=b=c"], "WorkingDir": "/old", "User": "root", "Cmd": ["tool"] });
    Layout::new(vec![lower, upper], compression, run)
}

#[test]
fn layers_are_unpacked_with_whiteouts_and_without_what_is_dangerous() {
    let (_directory, images) = images();
    let layout = sample(Compression::Gzip);
    let image = pull(&images, &layout.reference()).expect("pulled");
    assert_eq!(image.digest, layout.manifest);
    let [lower, upper] = &image.layers[..] else { panic!("two layers") };
    let mode = |path: &Path| fs::symlink_metadata(path).expect("there").mode() & 0o7777;
    assert_eq!(mode(&lower.join("bin/tool")), 0o755, "no set-user-id bit");
    assert_eq!(mode(&lower.join("etc/secret")), 0o400, "what the root of the image could read, its owner can");
    assert_eq!(fs::metadata(lower.join("bin/tool")).expect("there").mtime(), 1_000_000_000);
    assert_eq!(fs::read_link(lower.join("up")).expect("a link").to_str(), Some("../../../../etc/passwd"));
    assert_eq!(fs::read(lower.join("hard")).expect("read"), b"one");
    assert_eq!(fs::metadata(lower.join("hard")).expect("there").nlink(), 2);
    assert!(!lower.join("dev/null").exists());
    assert!(fs::metadata(lower.join("fifo")).expect("there").file_type().is_fifo());
    let gone = fs::symlink_metadata(upper.join("old/a")).expect("there");
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let mut value = [0; 4];
    let length = rustix::fs::getxattr(upper.join("hidden"), "user.overlay.opaque", &mut value).expect("there");
    assert_eq!(&value[..length], b"y");
    assert!(!upper.join(".wh..wh.plnk").exists());
    let (config, env) = (&image.config, &image.config.env);
    assert_eq!((config.workdir.as_str(), config.user.as_str()), ("/old", "root"));
    assert_eq!((env["PATH"].as_str(), env["A"].as_str()), ("/bin", "b=c"));
}

#[test]
fn every_compression_and_every_container_gives_the_same_layers() {
    let layers = |reference: &str| {
        let (_directory, images) = images();
        let image = pull(&images, reference).expect("pulled");
        image.layers.iter().map(|path| path.file_name().expect("named").to_owned()).collect::<Vec<_>>()
    };
    let plain = sample(Compression::None);
    let expected = layers(&plain.reference());
    assert_eq!(layers(&sample(Compression::Gzip).reference()), expected);
    assert_eq!(layers(&sample(Compression::Zstd).reference()), expected);
    assert_eq!(layers(&format!("{}:latest", plain.reference())), expected);
    let (archive, saved) = (plain.archive(), plain.docker_archive());
    assert_eq!(layers(&format!("oci-archive:{}", archive.path().display())), expected);
    assert_eq!(layers(&format!("docker-archive:{}", saved.path().display())), expected);
    assert_eq!(layers(&format!("docker-archive:{}:small:1", saved.path().display())), expected);
}

#[test]
fn what_is_not_there_is_said_with_its_place() {
    let (_directory, images) = images();
    let plain = sample(Compression::None);
    let saved = plain.docker_archive();
    let missing = |reference: &str| message(pull(&images, reference));
    assert_eq!(
        missing("oci:/no/such/place"),
        "no image `/no/such/place`: there is no such directory; check name and tag"
    );
    assert!(missing(&format!("{}:nonesuch", plain.reference())).contains("has this tag"));
    assert!(missing(&format!("docker-archive:{}:other:2", saved.path().display())).contains("has this name"));
    fs::remove_file(plain.blob(&plain.layers[0])).expect("removed");
    assert!(missing(&plain.reference()).contains("is missing"));
}

#[test]
fn an_image_for_another_platform_says_which_ones_there_are() {
    let (_directory, images) = images();
    let plain = sample(Compression::None);
    let index = json!({ "schemaVersion": 2, "manifests": [
        { "digest": plain.manifest, "size": 1, "platform": { "os": "linux", "architecture": "arm", "variant": "v7" } },
        { "digest": plain.manifest, "size": 1, "platform": { "os": "windows", "architecture": "amd64" } },
    ] });
    fs::write(plain.directory.path().join("index.json"), index.to_string()).expect("written");
    let text = message(pull(&images, &plain.reference()));
    let wanted = format!("linux/{}", crate::build::architecture());
    assert!(
        text.contains(&format!("no variant for {wanted}, only for linux/arm/v7, windows/amd64; build it")),
        "{text}"
    );
}

#[test]
fn the_cache_is_closed_to_others() {
    let (directory, _images) = images();
    let mode = fs::metadata(directory.path().join("cache")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
