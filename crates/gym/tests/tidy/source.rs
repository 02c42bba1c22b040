//! Source files of the workspace, and their code without comments and tests.

use std::path::{Path, PathBuf};

/// One Rust file.
pub(crate) struct SourceFile {
    /// Path from the root of the repository.
    pub(crate) name: String,
    /// All of it.
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether the file is part of a library as others get it, and not a test of one.
    pub(crate) fn is_library(&self) -> bool {
        let (dirs, last) = self.name.rsplit_once('/').unwrap();
        let mut components = dirs.split('/').skip(2);
        let inside = components.next() == Some("src");
        inside
            && !last.ends_with("tests.rs")
            && !matches!(last, "testkit.rs" | "testing.rs")
            && components.all(|it| it != "tests")
    }

    /// The code before an inline test module, without comment lines.
    pub(crate) fn code(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_test_module = |pair: &[&str]| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod ") && pair[1].ends_with('{')
        };
        let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
        let code = lines[..end].iter().filter(|line| !line.trim_start().starts_with("//"));
        code.copied().collect::<Vec<_>>().join("\n")
    }
}

/// The directory that holds all crates.
pub(crate) fn crates_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All Rust files of these crates: sources, tests, benches.
pub(crate) fn sources(crates: &[&str]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for name in crates {
        for part in ["src", "tests", "benches"] {
            collect(&crates_dir().join(name).join(part), &format!("crates/{name}/{part}"), &mut files);
        }
    }
    files
}

fn collect(dir: &Path, prefix: &str, files: &mut Vec<SourceFile>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &name, files);
        } else if name.ends_with(".rs") {
            files.push(SourceFile { text: std::fs::read_to_string(&path).unwrap(), name });
        }
    }
}
