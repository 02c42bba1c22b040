//! How sandboxes begin and end, alone and in crowds.

use basis_sandbox::{Backend, SandboxError};

pub(crate) use crate::crowded::sandboxes_beyond_the_limit_of_descriptors_work_like_others;
use crate::fixture::{daemon, empty, eventually, layer, marker, shell, sleepers, spec, text};
pub(crate) use crate::leftovers::{nothing_is_left_after_drop, nothing_is_left_after_the_controller_is_killed};

pub(crate) fn freezing_kills_daemons_and_keeps_the_view(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    text(sandbox.as_mut(), &format!("echo kept > file; {}", daemon(&marker)));
    eventually("the daemon runs", || !sleepers(&marker).is_empty());
    sandbox.freeze().expect("frozen");
    assert_eq!(sleepers(&marker), Vec::<i32>::new());
    sandbox.freeze().expect("twice is fine");
    assert_eq!(sandbox.read("file", 10).expect("read"), b"kept\n");
    assert_eq!(sandbox.changes().expect("listed").len(), 1);
    assert!(matches!(sandbox.exec(&shell("true")), Err(SandboxError::Lost(_))));
    assert!(matches!(sandbox.write("file", b""), Err(SandboxError::Lost(_))));
}

pub(crate) fn destroying_twice_is_fine(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    sandbox.destroy().expect("destroyed");
    sandbox.destroy().expect("twice");
    assert!(sandbox.exec(&shell("true")).is_err());
    assert!(sandbox.read("file", 1).is_err());
    assert!(sandbox.changes().is_err());
    assert!(sandbox.freeze().is_err());
}

pub(crate) fn a_sandbox_outlives_its_backend_handle_and_changes_threads(backend: &dyn Backend) {
    let own = crate::fixture::open(backend.name()).expect("opened");
    let (_layer, mut sandbox) = empty(own.as_ref());
    drop(own);
    let moved = std::thread::spawn(move || {
        text(sandbox.as_mut(), "echo from another thread > file");
        sandbox
    });
    let mut sandbox = moved.join().expect("the thread ended well");
    assert_eq!(text(sandbox.as_mut(), "cat file"), "from another thread\n");
}

pub(crate) fn many_threads_create_at_once(backend: &dyn Backend) {
    let shared = layer(&[("file", "1")]);
    let spec = spec(&[&shared]);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let spec = &spec;
            scope.spawn(move || {
                for round in 0..6 {
                    let mut sandbox = backend.create(spec).expect("created");
                    let output = text(sandbox.as_mut(), &format!("echo {number} {round} >> file; cat file"));
                    assert_eq!(output, format!("1{number} {round}\n"));
                }
            });
        }
    });
}

pub(crate) fn two_hundred_sandboxes_live_at_once(backend: &dyn Backend) {
    let shared = layer(&[("file", "")]);
    let spec = spec(&[&shared]);
    let mut all: Vec<_> = (0..200).map(|_| backend.create(&spec).expect("created")).collect();
    for (number, sandbox) in all.iter_mut().enumerate() {
        sandbox.write("file", number.to_string().as_bytes()).expect("written");
    }
    for (number, sandbox) in all.iter_mut().enumerate() {
        assert_eq!(text(sandbox.as_mut(), "cat file"), number.to_string());
    }
}
