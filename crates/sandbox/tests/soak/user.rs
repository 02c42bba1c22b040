//! The soak as an ordinary user, when it runs as root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// An id that belongs to nobody.
const USER: u32 = 64_243;

#[test]
fn nothing_is_left_of_an_ordinary_users_controllers() {
    let _alone = crate::alone();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the soak runs as an ordinary user already");
        return;
    }
    // A copy in an open place: the original may lie below a directory that only root may enter.
    let place = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("opened");
    let copy = place.path().join("soak");
    fs::copy("/proc/self/exe", &copy).expect("copied");
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).expect("made executable");
    let output = Command::new(&copy)
        .args(["--exact", "nothing_is_left_of_controllers_that_are_killed_at_random_moments", "--nocapture"])
        .env("TMPDIR", place.path())
        .env("BASIS_SOAK_CYCLES", "300")
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}
