//! The cache: its budget, its locks, kills and other processes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use basis_sandbox::images::{ImageError, Images, LayerLimits};
use serde_json::json;

use crate::build::{Compression, Layer, Layout, images, message, pull};

/// Says to a copy of this program that it is to pull this reference into that cache.
const REFERENCE: &str = "BASIS_TEST_REFERENCE";
const CACHE: &str = "BASIS_TEST_CACHE";

fn image_of(size: usize, byte: u8) -> Layout {
    Layout::new(vec![Layer::new().file("data", &vec![byte; size], 0o644)], Compression::Gzip, json!(null))
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let images = Images::open(directory.path(), 5 << 20, LayerLimits::default()).expect("opened");
    let layouts: Vec<Layout> = (0..3).map(|byte| image_of(2 << 20, byte)).collect();
    let reference = |index: usize| layouts[index].reference();
    let there =
        |index: usize| images.cached(&reference(index).parse().expect("a reference")).expect("looked").is_some();
    let pause = || std::thread::sleep(Duration::from_millis(20));
    drop(pull(&images, &reference(0)).expect("pulled"));
    pause();
    drop(pull(&images, &reference(1)).expect("pulled"));
    pause();
    assert!(there(0));
    pause();
    drop(pull(&images, &reference(2)).expect("pulled"));
    assert!(there(0) && there(2), "the first was used again after the second");
    assert!(!there(1));
    drop(pull(&images, &reference(1)).expect("comes again"));
    let sizes: u64 = images.list().expect("listed").iter().map(|(_, bytes)| bytes).sum();
    assert!(sizes <= 5 << 20);
    assert_eq!(images.list().expect("listed").len(), 3);
}

#[test]
fn what_is_in_use_is_not_evicted_and_a_full_cache_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let images = Images::open(directory.path(), 3 << 20, LayerLimits::default()).expect("opened");
    let held = pull(&images, &image_of(2 << 20, 1).reference()).expect("pulled");
    let other = image_of(2 << 20, 2);
    let text = message(pull(&images, &other.reference()));
    assert!(text.contains("has no room") && text.contains("raise `images.cache_mib`"), "{text}");
    assert!(held.layers[0].join("data").exists());
    drop(held);
    pull(&images, &other.reference()).expect("there is room now");
    let large = image_of(4 << 20, 3);
    assert!(matches!(pull(&images, &large.reference()), Err(ImageError::Full { .. })));
}

#[test]
fn equal_layers_are_kept_once() {
    let (directory, images) = images();
    let layers = |top: &[u8]| vec![Layer::new().file("base", b"same", 0o644), Layer::new().file("top", top, 0o644)];
    let one = pull(&images, &Layout::new(layers(b"1"), Compression::Gzip, json!(null)).reference()).expect("pulled");
    let two = pull(&images, &Layout::new(layers(b"2"), Compression::Zstd, json!(null)).reference()).expect("pulled");
    assert_eq!(one.layers[0], two.layers[0]);
    assert_eq!(fs::read_dir(directory.path().join("cache/layers")).expect("listed").count(), 3);
}

#[test]
fn a_cache_of_a_newer_version_is_refused() {
    let (directory, _images) = images();
    fs::write(directory.path().join("cache/version"), "2").expect("written");
    let error = Images::open(directory.path().join("cache"), 1, LayerLimits::default()).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("version 2") && text.contains("knows version 1"), "{text}");
}

#[test]
fn many_processes_and_threads_pull_the_same_at_once() {
    let (directory, images) = images();
    let layout = image_of(3 << 20, 9);
    let mut others: Vec<_> = (0..3).map(|_| puller(&layout, directory.path().join("cache"))).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| pull(&images, &layout.reference()).expect("pulled"));
        }
    });
    assert!(others.iter_mut().all(|other| other.wait().expect("ended").success()));
    assert_eq!(fs::read_dir(directory.path().join("cache/partial")).expect("listed").count(), 0);
}

#[test]
fn a_process_that_is_killed_leaves_nothing_half_made() {
    let (directory, _images) = images();
    let cache = directory.path().join("cache");
    let layout = image_of(60 << 20, 5);
    for wait in [0, 5, 20, 40, 80, 120] {
        let mut other = puller(&layout, cache.clone());
        std::thread::sleep(Duration::from_millis(wait));
        other.kill().expect("killed");
        other.wait().expect("collected");
        let images = Images::open(&cache, 1 << 30, LayerLimits::default()).expect("opened");
        assert_eq!(fs::read_dir(cache.join("partial")).expect("listed").count(), 0);
        if let Some(image) = images.cached(&layout.reference().parse().expect("a reference")).expect("looked") {
            assert_eq!(fs::metadata(image.layers[0].join("data")).expect("there").len(), 60 << 20);
            drop(image);
            fs::remove_dir_all(cache.join("layers")).expect("removed");
        }
    }
    let images = Images::open(&cache, 1 << 30, LayerLimits::default()).expect("opened");
    pull(&images, &layout.reference()).expect("pulled in the end");
}

fn puller(layout: &Layout, cache: std::path::PathBuf) -> std::process::Child {
    Command::new("/proc/self/exe")
        .args(["--exact", "cache::other_process"])
        .env(REFERENCE, layout.reference())
        .env(CACHE, cache)
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}

/// The other process; an ordinary run of the tests does nothing here.
#[test]
fn other_process() {
    let Ok(reference) = std::env::var(REFERENCE) else { return };
    let cache = std::env::var(CACHE).expect("given with the reference");
    let images = Images::open(cache, 1 << 30, LayerLimits::default()).expect("opened");
    pull(&images, &reference).expect("pulled");
}
