//! The images on this machine: unpacked layers by digest, within a budget of bytes.
//!
//! Layout, version 1: `layers/<digest>/` is a complete layer, made in `partial/` and renamed; `sizes/<digest>` says what it takes;
//! `images/<digest of the reference>.json` is what a reference meant when it was last pulled; `locks/<digest>` is locked shared by
//! whoever uses the layer, exclusively by whoever makes or evicts it, and its time is that of the last use. The kernel releases the
//! locks of a process that is killed; what it left in `partial/` is removed by the next one. A newer version is refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::disk::{flock, make, remove, touch, write};
use super::manifest::Descriptor;
use super::sources::{self, Credentials, Source};
use super::{Digest, Image, ImageConfig, ImageError, LayerLimits, Reference, transfer};

const VERSION: &str = "1";
/// How often a layer is fetched before the failure is believed.
const ATTEMPTS: u32 = 3;

/// A cache of images. Any number of processes may use one at the same time.
#[derive(Debug, Clone)]
pub struct Images {
    root: PathBuf,
    budget: u64,
    limits: LayerLimits,
}

/// What the cache knows about a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cached {
    /// The reference that was pulled.
    pub reference: String,
    /// The digest of the manifest.
    pub digest: Digest,
    /// Digests of the uncompressed layers, lowest first.
    pub layers: Vec<Digest>,
    /// How the image wants its commands to be run.
    pub config: ImageConfig,
}

impl Images {
    /// Opens the cache in `root`, making it if it is not there, and removes what killed processes left.
    ///
    /// # Errors
    /// When it cannot be made, or was made by a newer version.
    pub fn open(root: impl Into<PathBuf>, budget: u64, limits: LayerLimits) -> Result<Self, ImageError> {
        let root = root.into();
        for name in ["layers", "sizes", "images", "locks", "partial"] {
            make(&root.join(name))?;
        }
        // Layers hold files of any mode; nobody else may reach them.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&root, private)
            .map_err(|error| ImageError::system(format!("close {}", root.display()), error))?;
        let root =
            fs::canonicalize(&root).map_err(|error| ImageError::system(format!("open {}", root.display()), error))?;
        check_version(&root)?;
        let images = Self { root, budget, limits };
        images.sweep();
        Ok(images)
    }

    /// Asks the place of `reference` what it means now and fetches what is missing.
    ///
    /// # Errors
    /// [`ImageError`]; nothing half-made is left.
    pub fn pull(&self, reference: &Reference, credentials: &Credentials) -> Result<Image, ImageError> {
        let source = sources::open(reference, credentials)?;
        let (digest, manifest) = transfer::manifest(source.as_ref(), &reference.to_string())?;
        let raw = transfer::config(source.as_ref(), &manifest.config, &reference.to_string())?;
        if raw.rootfs.diff_ids.len() != manifest.layers.len() {
            let reason = "its configuration has another number of layers than its manifest".into();
            return Err(ImageError::Damaged { what: format!("image `{reference}`"), reason });
        }
        let mut held = Vec::new();
        for (diff, descriptor) in raw.rootfs.diff_ids.iter().zip(&manifest.layers) {
            held.push(self.layer(diff, descriptor, source.as_ref())?);
        }
        let (reference, layers) = (reference.to_string(), raw.rootfs.diff_ids.clone());
        let cached = Cached { reference, digest, layers, config: raw.run() };
        self.remember(&cached)?;
        Ok(self.image(cached, held))
    }

    /// The image that `reference` meant when it was last pulled, if all of it is still here. Asks nobody.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn cached(&self, reference: &Reference) -> Result<Option<Image>, ImageError> {
        let Some(cached) = read_record(&self.record(&reference.to_string())) else { return Ok(None) };
        let mut held = Vec::new();
        for layer in &cached.layers {
            let lock = self.lock(layer)?;
            flock(&lock, FlockOperation::LockShared)?;
            if !self.path(layer).is_dir() {
                return Ok(None);
            }
            touch(&lock);
            held.push(lock);
        }
        Ok(Some(self.image(cached, held)))
    }

    /// What was pulled, by reference, with the bytes that its layers take; those that were evicted take none.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn list(&self) -> Result<Vec<(Cached, u64)>, ImageError> {
        let directory = self.root.join("images");
        let entries = fs::read_dir(&directory)
            .map_err(|error| ImageError::system(format!("list {}", directory.display()), error))?;
        let mut all: Vec<(Cached, u64)> = entries
            .flatten()
            .filter_map(|entry| read_record(&entry.path()))
            .map(|cached| {
                let bytes = cached.layers.iter().map(|layer| self.size(layer)).sum();
                (cached, bytes)
            })
            .collect();
        all.sort_by(|(one, _), (other, _)| one.reference.cmp(&other.reference));
        Ok(all)
    }

    fn image(&self, cached: Cached, held: Vec<File>) -> Image {
        let layers = cached.layers.iter().map(|layer| self.path(layer)).collect();
        Image { digest: cached.digest, layers, config: cached.config, _held: held }
    }

    /// Makes sure that a layer is there; returns its lock, held shared.
    fn layer(&self, diff: &Digest, descriptor: &Descriptor, source: &dyn Source) -> Result<File, ImageError> {
        let lock = self.lock(diff)?;
        loop {
            flock(&lock, FlockOperation::LockShared)?;
            if self.path(diff).is_dir() {
                touch(&lock);
                return Ok(lock);
            }
            flock(&lock, FlockOperation::LockExclusive)?;
            if !self.path(diff).is_dir() {
                self.fetch(diff, descriptor, source)?;
            }
            // Between the two kinds of lock it may be evicted again, so look once more.
        }
    }

    fn fetch(&self, diff: &Digest, descriptor: &Descriptor, source: &dyn Source) -> Result<(), ImageError> {
        let partial = self.root.join("partial").join(diff.hex());
        let mut attempt = 1;
        loop {
            remove(&partial)?;
            make(&partial)?;
            let mut room = |bytes| self.make_room(bytes);
            match transfer::layer(diff, descriptor, source, &partial, &self.limits, &mut room) {
                Ok(bytes) => {
                    let sizes = self.root.join("sizes").join(diff.hex());
                    write(&sizes, &bytes.to_string())?;
                    let path = self.path(diff);
                    return fs::rename(&partial, &path)
                        .map_err(|error| ImageError::system(format!("make {}", path.display()), error));
                }
                Err(error) => {
                    remove(&partial)?;
                    if attempt == ATTEMPTS || !error.passes() {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// Evicts what was not used for longest until `needed` more bytes fit into the budget.
    fn make_room(&self, needed: u64) -> Result<(), ImageError> {
        let turn = self.open_lock("evict")?;
        flock(&turn, FlockOperation::LockExclusive)?;
        let mut layers = self.layers();
        layers.sort_by_key(|(_, used, _)| *used);
        let mut taken: u64 = layers.iter().map(|(_, _, bytes)| bytes).sum();
        for (layer, _, bytes) in &layers {
            if taken + needed <= self.budget {
                return Ok(());
            }
            if self.evict(layer)? {
                taken -= bytes;
            }
        }
        match taken + needed <= self.budget {
            true => Ok(()),
            false => Err(ImageError::Full { cache: self.root.clone(), needed, budget: self.budget, in_use: taken }),
        }
    }

    /// Removes a layer unless somebody uses it.
    fn evict(&self, layer: &Digest) -> Result<bool, ImageError> {
        let lock = self.lock(layer)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        let doomed = self.root.join("partial").join(layer.hex());
        remove(&doomed)?;
        // First out of sight, so that a kill meanwhile leaves no half layer.
        match fs::rename(self.path(layer), &doomed) {
            Ok(()) => remove(&doomed).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(ImageError::system(format!("evict {}", self.path(layer).display()), error)),
        }
    }

    /// All complete layers with last use and size.
    fn layers(&self) -> Vec<(Digest, SystemTime, u64)> {
        let entries = fs::read_dir(self.root.join("layers")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let digests = names.filter_map(|name| format!("sha256:{name}").parse::<Digest>().ok());
        let look = |layer: Digest| {
            let used = fs::metadata(self.root.join("locks").join(layer.hex())).and_then(|data| data.modified());
            let bytes = self.size(&layer);
            (layer, used.unwrap_or(SystemTime::UNIX_EPOCH), bytes)
        };
        digests.map(look).collect()
    }

    fn size(&self, layer: &Digest) -> u64 {
        let text = fs::read_to_string(self.root.join("sizes").join(layer.hex())).unwrap_or_default();
        if self.path(layer).is_dir() { text.trim().parse().unwrap_or(0) } else { 0 }
    }

    /// Removes what nobody works on any more.
    fn sweep(&self) {
        for entry in fs::read_dir(self.root.join("partial")).into_iter().flatten().flatten() {
            let digest = entry.file_name().to_str().and_then(|name| format!("sha256:{name}").parse().ok());
            let free = digest
                .and_then(|digest| self.lock(&digest).ok())
                .filter(|lock| rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok());
            if free.is_some() {
                // What cannot be removed now is tried again next time.
                let _ = remove(&entry.path());
            }
        }
    }

    fn path(&self, layer: &Digest) -> PathBuf {
        self.root.join("layers").join(layer.hex())
    }

    fn record(&self, reference: &str) -> PathBuf {
        self.root.join("images").join(format!("{}.json", Digest::of(reference.as_bytes()).hex()))
    }

    fn remember(&self, cached: &Cached) -> Result<(), ImageError> {
        write(&self.record(&cached.reference), &serde_json::to_string(cached).expect("a record is JSON"))
    }

    fn lock(&self, layer: &Digest) -> Result<File, ImageError> {
        self.open_lock(layer.hex())
    }

    fn open_lock(&self, name: &str) -> Result<File, ImageError> {
        let path = self.root.join("locks").join(name);
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| ImageError::system(format!("open {}", path.display()), error))
    }
}

fn check_version(root: &Path) -> Result<(), ImageError> {
    let path = root.join("version");
    match fs::read_to_string(&path) {
        Ok(version) if version.trim() == VERSION => Ok(()),
        Ok(version) => Err(ImageError::Unsupported {
            what: format!("version {} of the image cache {}", version.trim(), root.display()),
            reason: format!("this program knows version {VERSION}; use another directory or a newer program"),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => write(&path, VERSION),
        Err(error) => Err(ImageError::system(format!("read {}", path.display()), error)),
    }
}

fn read_record(path: &Path) -> Option<Cached> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
