//! Engines that cannot be used: each with the reason and what to do.

use std::os::unix::net::UnixListener;

use basis_sandbox::backends::{self, Options};

fn refused(socket: &str) -> String {
    let mut options = Options::default();
    options.container.socket = Some(socket.into());
    backends::open_with("container", &options).err().expect("refused").to_string()
}

#[test]
fn an_engine_that_is_not_there_is_to_be_started() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("engine.sock");
    let text = refused(&socket.display().to_string());
    assert!(text.contains("no engine listens on") && text.contains("systemctl start docker"), "{text}");
    drop(UnixListener::bind(&socket).expect("bound"));
    let text = refused(&format!("unix://{}", socket.display()));
    assert!(text.contains("does not run; start it"), "{text}");
}

#[test]
fn what_listens_and_is_no_engine_is_said_to_be_none() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop(std::io::Write::write_all(&mut &stream, b"220 mail ready\r\n"));
        }
    });
    let text = refused(&socket.display().to_string());
    assert!(text.contains("backend `container` is not available"), "{text}");
}

#[test]
fn an_engine_on_another_machine_is_refused() {
    let text = refused("tcp://192.0.2.1:2375");
    assert!(text.contains("must run on this machine"), "{text}");
}
