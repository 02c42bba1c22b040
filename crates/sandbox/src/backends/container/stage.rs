//! The directory of one backend that its containers see until they are set up: the program, its libraries, the socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::boot;
use super::owner::Owner;

/// Where containers see it.
pub(super) const INSIDE: &str = "/.basis";
/// What names of such directories begin with; then comes their owner.
const PREFIX: &str = "basis-container-";

/// A directory on this machine. Dropping it removes it.
pub(super) struct Stage {
    pub(super) directory: PathBuf,
    /// How the first process of a container is started.
    pub(super) command: Vec<String>,
}

impl Stage {
    /// Makes one in `parent` and removes what dead processes left there.
    pub(super) fn make(parent: &Path, owner: &Owner) -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep(parent);
        let directory = parent.join(format!("{PREFIX}{owner}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&directory)?;
        let mut stage = Self { directory, command: Vec::new() };
        stage.fill()?;
        Ok(stage)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join(boot::SOCKET)
    }

    /// An empty directory or file, over which the mounter mounts.
    pub(super) fn empty(&self, directory: bool) -> PathBuf {
        self.directory.join(if directory { "empty" } else { "nothing" })
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let at = |name: &str| self.directory.join(name);
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        open(&self.directory)?;
        fs::create_dir(at("empty"))?;
        fs::write(at("nothing"), "")?;
        fs::create_dir(at("lib"))?;
        // Containers may lack the libraries that this program was linked with, or have others.
        let libraries = libraries()?;
        for library in &libraries {
            let name = library.file_name().unwrap_or_default();
            place(library, &at("lib").join(name))?;
        }
        place(Path::new("/proc/self/exe"), &at("init"))?;
        for path in ["lib", "empty"] {
            open(&at(path))?;
        }
        let inside = |name: &str| format!("{INSIDE}/{name}");
        let loader =
            libraries.iter().filter_map(|path| path.file_name()?.to_str()).find(|name| name.starts_with("ld-"));
        if let Some(loader) = loader {
            self.command = vec![inside(&format!("lib/{loader}")), "--library-path".into(), inside("lib")];
        }
        self.command.extend([inside("init"), boot::NAME.into()]);
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next backend.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The shared libraries of this process, its loader among them.
fn libraries() -> std::io::Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let executable = fields.nth(1).is_some_and(|mode| mode.contains('x'));
        let path = line.find('/').map(|start| PathBuf::from(&line[start..]));
        let Some(path) = path.filter(|_| executable) else { continue };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let library = name.contains(".so") && (name.starts_with("lib") || name.starts_with("ld-"));
        if library && !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// A second name for the file if possible, else a copy.
fn place(source: &Path, target: &Path) -> std::io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    // A link shares its mode with the original, so only what everybody may execute is linked.
    let open = fs::metadata(source)?.permissions().mode() & 0o555 == 0o555;
    if open && rustix::fs::linkat(CWD, source, CWD, target, AtFlags::SYMLINK_FOLLOW).is_ok() {
        return Ok(());
    }
    fs::copy(source, target)?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o755))
}

/// Removes the directories of processes that run no more.
fn sweep(parent: &Path) {
    for (_, directory) in all(parent).into_iter().filter(|(owner, _)| owner.is_dead()) {
        // Another user's cannot be removed, and is none of ours.
        let _ = fs::remove_dir_all(directory);
    }
}

/// All such directories in `parent`, and whose they are.
pub(super) fn all(parent: &Path) -> Vec<(Owner, PathBuf)> {
    let owner = |name: &str| name.strip_prefix(PREFIX)?.rsplit_once('-')?.0.parse::<Owner>().ok();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((owner(entry.file_name().to_str()?)?, entry.path()))).collect()
}
