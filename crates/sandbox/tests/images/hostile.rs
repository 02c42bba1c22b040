//! What hostile and damaged images come to: an error that names the place, and nothing written outside.

use std::fs;

use basis_sandbox::images::{Digest, ImageError, Images, LayerLimits};
use serde_json::json;
use tar::EntryType;

use crate::build::{Compression, Layer, Layout, compress, images, message, pull};

/// Pulls an image of one layer; the error, after a look at what is left.
fn refused(layer: Layer) -> ImageError {
    let (directory, images) = images();
    let layout = Layout::new(vec![layer], Compression::Gzip, json!(null));
    let error = pull(&images, &layout.reference()).expect_err("refused");
    for place in ["layers", "partial"] {
        let left = fs::read_dir(directory.path().join("cache").join(place)).expect("listed").count();
        assert_eq!(left, 0, "something is left in {place}");
    }
    assert!(!directory.path().join("evil").exists());
    error
}

fn assert_hostile(layer: Layer, part: &str) {
    match refused(layer) {
        ImageError::Hostile { reason, .. } => assert!(reason.contains(part), "{reason} instead of {part}"),
        other => panic!("{part}: {other}"),
    }
}

#[test]
fn entries_that_leave_the_layer_are_refused() {
    let out = || Layer::new().link(EntryType::Symlink, "out", "../../..");
    assert_hostile(Layer::new().file("../evil", b"", 0o644), "goes up");
    assert_hostile(Layer::new().file("a/../../../evil", b"", 0o644), "goes up");
    assert_hostile(out().file("out/evil", b"", 0o644), "goes through a link");
    assert_hostile(out().directory("out/evil/deep"), "goes through a link");
    assert_hostile(out().link(EntryType::Link, "x", "out/etc/passwd"), "through another link");
    assert_hostile(out().file("out/.wh.evil", b"", 0), "goes through a link");
    assert_hostile(out().link(EntryType::Symlink, "out/evil", "x"), "goes through a link");
    assert_hostile(Layer::new().link(EntryType::Link, "x", "../../../etc/passwd"), "a file outside");
    assert_hostile(Layer::new().file("a/.wh...", b"", 0), "removes what is outside");
    assert_hostile(Layer::new().file("f", b"", 0o644).file("f/evil", b"", 0o644), "goes through a file");
    assert_hostile(Layer::new().entry(EntryType::Block, "disk", "", b"", 0o666), "is a device");
    assert_hostile(Layer::new().entry(EntryType::Char, "a/kmsg", "", b"", 0o666), "is a device");
    let absolute = Layer::new().link(EntryType::Symlink, "abs", "/").file("abs/evil", b"", 0o644);
    assert_hostile(absolute, "goes through a link");
}

#[test]
fn a_link_that_was_replaced_is_not_followed() {
    let (_directory, images) = images();
    let layer = Layer::new()
        .link(EntryType::Symlink, "a", "../../../evil")
        .file("a", b"plain", 0o644)
        .directory("d")
        .link(EntryType::Symlink, "d", "/");
    let layout = Layout::new(vec![layer], Compression::Gzip, json!(null));
    let image = pull(&images, &layout.reference()).expect("pulled");
    assert_eq!(fs::read(image.layers[0].join("a")).expect("read"), b"plain");
    assert!(fs::symlink_metadata(image.layers[0].join("d")).expect("there").is_symlink());
}

#[test]
fn a_link_to_nothing_is_damage() {
    let text = refused(Layer::new().link(EntryType::Link, "x", "missing")).to_string();
    assert!(text.contains("`x` is a link to a file that the layer does not have"), "{text}");
}

#[test]
fn bombs_end_at_the_limits() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let limits = LayerLimits { bytes: 1 << 20, entries: 100 };
    let images = Images::open(directory.path().join("cache"), 1 << 30, limits).expect("opened");
    let bomb = Layer::new().file("zeros", &vec![0; 40 << 20], 0o644);
    let layout = Layout::new(vec![bomb], Compression::Gzip, json!(null));
    let text = message(pull(&images, &layout.reference()));
    assert!(text.contains("unpacks to more than 1048576 bytes"), "{text}");
    let many = (0..200).fold(Layer::new(), |layer, number| layer.file(&number.to_string(), b"", 0o644));
    let text = message(pull(&images, &Layout::new(vec![many], Compression::Zstd, json!(null)).reference()));
    assert!(text.contains("unpacks to more than 100 entries"), "{text}");
    // Zeros after the end of the archive are part of what is hashed.
    let mut long = Layer::new().archive();
    long.resize(8 << 20, 0);
    let diff = Digest::of(&long);
    let layout = Layout::from_parts(vec![compress(&long, Compression::Gzip)], vec![diff], json!(null));
    assert!(message(pull(&images, &layout.reference())).contains("more follows"));
}

#[test]
fn what_has_another_digest_is_refused() {
    let (_directory, images) = images();
    let archive = Layer::new().file("a", b"1", 0o644).archive();
    let other = Layer::new().file("a", b"2", 0o644).archive();
    let wrong = |layout: &Layout| match pull(&images, &layout.reference()) {
        Err(ImageError::Mismatch { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    // The blob is right and its content is not what the configuration says.
    let blob = compress(&archive, Compression::Gzip);
    let layout = Layout::from_parts(vec![blob.clone()], vec![Digest::of(&other)], json!(null));
    assert_eq!(wrong(&layout), format!("the content of layer {}", layout.layers[0]));
    // The blob has another content of the same length.
    let layout = Layout::from_parts(vec![archive.clone()], vec![Digest::of(&archive)], json!(null));
    fs::write(layout.blob(&layout.layers[0]), &other).expect("written");
    assert_eq!(wrong(&layout), format!("layer {}", layout.layers[0]));
    // The configuration or the manifest was changed.
    for place in [&layout.config, &layout.manifest] {
        let path = layout.blob(place);
        let text = fs::read_to_string(&path)
            .expect("read")
            .replace("linux", "Linux")
            .replace("schemaVersion", " schemaVersion");
        fs::write(&path, text).expect("written");
        let error = pull(&images, &layout.reference()).expect_err("refused");
        assert!(matches!(error, ImageError::Mismatch { .. } | ImageError::Damaged { .. }), "{error}");
    }
}

#[test]
fn what_is_cut_or_garbled_is_refused() {
    let archive = Layer::new().file("a", &vec![7; 100_000], 0o644).archive();
    let diff = Digest::of(&archive);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        // A layer that is there already is not fetched, so each gets a cache of its own.
        let (_directory, images) = images();
        let blob = compress(&archive, compression);
        let layout = Layout::from_parts(vec![blob.clone()], vec![diff.clone()], json!(null));
        let path = layout.blob(&layout.layers[0]);
        fs::write(&path, &blob[..blob.len() / 2]).expect("written");
        assert!(pull(&images, &layout.reference()).is_err());
        let mut longer = blob.clone();
        longer.extend_from_slice(b"more");
        fs::write(&path, &longer).expect("written");
        assert!(pull(&images, &layout.reference()).is_err());
        fs::write(&path, &blob).expect("written");
        pull(&images, &layout.reference()).expect("whole again");
    }
    let (_directory, images) = images();
    for nonsense in ["", "{", "[]", r#"{"schemaVersion": 1}"#, r#"{"manifests": 3}"#] {
        let layout = Layout::new(vec![Layer::new()], Compression::None, json!(null));
        fs::write(layout.directory.path().join("index.json"), nonsense).expect("written");
        assert!(pull(&images, &layout.reference()).is_err(), "{nonsense}");
    }
}
