//! Reading and writing single files, through the keeper.

use super::connection::Connection;
use super::script;
use super::stream::Finished;
use crate::SandboxError;

/// How the script says what is wrong.
const NO_FILE: i32 = 81;
const NOT_REGULAR: i32 = 82;
const TOO_LONG: i32 = 83;
const NO_ROOM: i32 = 84;

/// Reads a file of at most `max` bytes.
pub(super) async fn read(connection: &Connection, path: &str, max: u64) -> Result<Vec<u8>, SandboxError> {
    let text = text("read", path, max.min(i64::MAX as u64 - 1))?;
    let finished = connection.in_keeper(&text, &[]).await?;
    let too_large = |size| SandboxError::TooLarge { path: path.into(), size, max };
    match finished.status {
        0 if finished.stdout.len() as u64 > max => Err(too_large(finished.stdout.len() as u64)),
        0 => Ok(finished.stdout),
        TOO_LONG => Err(too_large(finished.stderr.trim().parse().unwrap_or(u64::MAX))),
        _ => Err(failure(path, finished)),
    }
}

/// Writes a file.
pub(super) async fn write(connection: &Connection, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
    let finished = connection.in_keeper(&text("write", path, 0)?, bytes).await?;
    if finished.status == 0 { Ok(()) } else { Err(failure(path, finished)) }
}

fn text(verb: &str, path: &str, limit: u64) -> Result<String, SandboxError> {
    let names = names(path).ok_or_else(|| SandboxError::NotRegular(path.into()))?;
    Ok(format!("verb={verb}\nlimit={limit}\n{}", script::with_words(names, script::FILE)))
}

/// The names on the way to a file; none if the path leads elsewhere, or to a directory for sure.
fn names(path: &str) -> Option<Vec<&str>> {
    let all: Vec<&str> = path.split('/').collect();
    let wrong = |name: &&str| name.is_empty() || *name == ".." || name.contains('\0');
    if all.iter().any(wrong) || all.last() == Some(&".") {
        return None;
    }
    Some(all.into_iter().filter(|name| *name != ".").collect())
}

fn failure(path: &str, finished: Finished) -> SandboxError {
    match finished.status {
        NO_FILE => SandboxError::NotFound(path.into()),
        NOT_REGULAR => SandboxError::NotRegular(path.into()),
        NO_ROOM if finished.stderr.contains("No space left") => SandboxError::system(
            format!("write `{path}` in a sandbox"),
            std::io::Error::from_raw_os_error(libc::ENOSPC),
        ),
        status => SandboxError::system(
            format!("reach `{path}` in a sandbox"),
            std::io::Error::other(format!("status {status}: {}", finished.stderr.trim())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_are_refused_before_anyone_is_asked() {
        assert_eq!(names("./a/b c"), Some(vec!["a", "b c"]));
        for path in ["", ".", "a/", "a/.", "/a", "..", "a/../b", "a//b", "a\0"] {
            assert_eq!(names(path), None, "{path}");
        }
    }
}
