//! Named files in a directory or a tar file; what image layouts and archives consist of.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::images::ImageError;
use crate::images::manifest::LONGEST;

/// Files by name, `/` between components.
pub(super) enum Files {
    Directory(PathBuf),
    Archive { path: PathBuf, members: HashMap<String, Member> },
}

/// Where a file of an archive is.
pub(super) enum Member {
    Here {
        offset: u64,
        length: u64,
    },
    /// The same as another member: archives keep equal layers once.
    Same(String),
}

impl Files {
    pub(super) fn directory(path: &Path) -> Result<Self, ImageError> {
        match path.is_dir() {
            true => Ok(Self::Directory(path.into())),
            false => Err(ImageError::NotFound {
                image: path.display().to_string(),
                reason: "there is no such directory".into(),
            }),
        }
    }

    /// Reads the headers of a tar file.
    pub(super) fn archive(path: &Path) -> Result<Self, ImageError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                ImageError::NotFound { image: path.display().to_string(), reason: "there is no such file".into() }
            }
            _ => ImageError::system(format!("open {}", path.display()), error),
        })?;
        let members = members(file).map_err(|error| ImageError::Damaged {
            what: format!("the archive {}", path.display()),
            reason: format!("{error}; a compressed archive must be decompressed first"),
        })?;
        Ok(Self::Archive { path: path.into(), members })
    }

    /// Opens a file; `None` when there is none.
    pub(super) fn open(&self, name: &str) -> Result<Option<Box<dyn Read>>, ImageError> {
        match self {
            Self::Directory(path) => {
                let path = path.join(name);
                match File::open(&path) {
                    Ok(file) => Ok(Some(Box::new(file))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(ImageError::system(format!("open {}", path.display()), error)),
                }
            }
            Self::Archive { path, members } => {
                let mut member = members.get(name);
                // Short chains only: a circle must end.
                for _ in 0..8 {
                    match member {
                        Some(Member::Same(other)) => member = members.get(other),
                        Some(Member::Here { offset, length }) => {
                            let part = File::open(path).and_then(|mut file| {
                                file.seek(SeekFrom::Start(*offset))?;
                                Ok(file.take(*length))
                            });
                            let part =
                                part.map_err(|error| ImageError::system(format!("read {}", path.display()), error))?;
                            return Ok(Some(Box::new(part)));
                        }
                        None => break,
                    }
                }
                Ok(None)
            }
        }
    }

    /// The whole of a small file that must be there.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let damaged = |reason: &str| ImageError::Damaged { what: self.describe(), reason: reason.into() };
        let file = self.open(name)?.ok_or_else(|| damaged(&format!("it has no file `{name}`")))?;
        let mut bytes = Vec::new();
        file.take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| ImageError::system(format!("read `{name}` of {}", self.describe()), error))?;
        match bytes.len() as u64 > LONGEST {
            true => Err(damaged(&format!("its file `{name}` is longer than {LONGEST} bytes"))),
            false => Ok(bytes),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Directory(path) => format!("the directory {}", path.display()),
            Self::Archive { path, .. } => format!("the archive {}", path.display()),
        }
    }
}

fn members(file: File) -> std::io::Result<HashMap<String, Member>> {
    let mut members = HashMap::new();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = text(&entry.path_bytes());
        let kind = entry.header().entry_type();
        if kind.is_file() {
            members.insert(name, Member::Here { offset: entry.raw_file_position(), length: entry.size() });
        } else if let Some(target) = entry.link_name_bytes().filter(|_| kind.is_symlink() || kind.is_hard_link()) {
            let target = text(&target);
            let base = if kind.is_symlink() { name.rsplit_once('/').map_or("", |(parent, _)| parent) } else { "" };
            members.insert(name.clone(), Member::Same(resolve(base, &target)));
        }
    }
    Ok(members)
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_start_matches("./").to_owned()
}

/// The name that a relative link in the directory `base` means. It is only looked up among members, never on disk.
fn resolve(base: &str, target: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
