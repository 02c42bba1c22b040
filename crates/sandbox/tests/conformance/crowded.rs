//! More sandboxes than there are descriptors for, if the controller held all of them.

use std::process::Command;

use basis_sandbox::{Backend, Sandbox};

use crate::fixture::{eventually, layer, marker, sleepers, spec, text};

/// Says to a copy of this program which backend it is to crowd.
const CROWD: &str = "BASIS_TEST_CROWD";
/// What the copy may open.
const DESCRIPTORS: usize = 256;
/// Five descriptors for each would be more.
const SANDBOXES: usize = 60;

pub(crate) fn sandboxes_beyond_the_limit_of_descriptors_work_like_others(backend: &dyn Backend) {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$0\" --exact crowded::controller --nocapture")])
        .arg(std::env::current_exe().expect("known"))
        .env(CROWD, backend.name())
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("all gone"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The crowded controller; an ordinary run of the tests does nothing here.
#[test]
fn controller() {
    let Ok(name) = std::env::var(CROWD) else { return };
    let backend = crate::fixture::open(&name).expect("opened");
    let layer = layer(&[("kept", "from below")]);
    let spec = spec(&[&layer]);
    let mut all: Vec<_> = (0..SANDBOXES).map(|_| backend.create(&spec).expect("created")).collect();
    let marker = marker();
    for (number, sandbox) in all.iter_mut().enumerate() {
        use_it(sandbox.as_mut(), number, &marker);
    }
    let mut second = all.last_mut().expect("the last one").fork().expect("forked");
    assert_eq!(text(second.as_mut(), "cat new"), format!("{}\n", SANDBOXES - 1));
    eventually("all daemons run", || sleepers(&marker).len() == SANDBOXES);
    let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    for sandbox in &mut all {
        sandbox.destroy().expect("destroyed without a descriptor to spare");
    }
    drop(hoard);
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    let mut again = backend.create(&spec).expect("created");
    assert_eq!(again.read("kept", 99).expect("read"), b"from below");
    again.freeze().expect("frozen");
    assert_eq!(again.changes().expect("listed"), []);
    println!("all gone");
}

fn use_it(sandbox: &mut dyn Sandbox, number: usize, marker: &str) {
    text(sandbox, &crate::fixture::daemon(marker));
    text(sandbox, &format!("echo {number} > new; echo changed >> kept"));
    sandbox.write("from/outside", number.to_string().as_bytes()).expect("written");
    assert_eq!(sandbox.read("new", 99).expect("read"), format!("{number}\n").into_bytes());
    let changed: Vec<String> = sandbox.changes().expect("listed").into_iter().map(|change| change.path).collect();
    assert_eq!(changed, ["from/outside", "kept", "new"]);
}
