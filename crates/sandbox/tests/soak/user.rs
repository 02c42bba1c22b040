//! The soak as an ordinary user, when it runs as root.

use crate::again::Again;

/// An id that belongs to nobody.
const USER: u32 = 64_243;

#[test]
fn nothing_is_left_of_an_ordinary_users_controllers() {
    let _alone = crate::alone();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the soak runs as an ordinary user already");
        return;
    }
    let tests = ["--exact", "nothing_is_left_of_controllers_that_are_killed_at_random_moments", "--nocapture"];
    let text = Again::new().run(USER, &tests, &[("BASIS_SOAK_CYCLES", "300")]);
    assert!(text.contains("1 passed"), "{text}");
}
