//! What commands cannot see and cannot do.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use basis_sandbox::Backend;

use crate::fixture::{daemon, empty, eventually, fails, layer, marker, sleepers, text};

pub(crate) fn there_is_no_network_but_loopback(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let host = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = host.local_addr().expect("an address").port();
    fails(sandbox.as_mut(), &format!("exec 9<>/dev/tcp/127.0.0.1/{port}"));
    fails(sandbox.as_mut(), "exec 9<>/dev/tcp/192.0.2.1/80");
    fails(sandbox.as_mut(), "exec 9<>/dev/udp/8.8.8.8/53 && echo x >&9");
    assert_eq!(text(sandbox.as_mut(), "grep -c : /proc/net/dev; grep -c lo: /proc/net/dev"), "1\n1\n");
    // Port 9 refuses only if the interface is up; otherwise it is unreachable.
    let refused = crate::fixture::run(sandbox.as_mut(), "exec 9<>/dev/tcp/127.0.0.1/9").stderr.text();
    assert!(refused.contains("refused"), "{refused}");
}

pub(crate) fn a_listener_inside_is_reached_by_its_own_commands_only(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let (_other_layer, mut other) = empty(backend);
    let listener = sandbox.listen().expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let served = std::thread::spawn(move || {
        let mut greeted = Vec::new();
        for _ in 0..2 {
            let (mut stream, from) = listener.accept().expect("somebody comes");
            std::io::Write::write_all(&mut stream, b"from outside\n").expect("written");
            greeted.push(from.ip().is_loopback());
        }
        greeted
    });
    let ask = format!("exec 9<>/dev/tcp/127.0.0.1/{port} && head -n 1 <&9");
    assert_eq!(text(sandbox.as_mut(), &ask), "from outside\n");
    fails(other.as_mut(), &ask);
    std::net::TcpStream::connect(("127.0.0.1", port)).expect_err("it is not on the host's loopback");
    // It belongs to no process inside, so none that ends takes it along.
    assert_eq!(text(sandbox.as_mut(), &format!("ls /proc/self/fd | wc -l; {ask}")), "4\nfrom outside\n");
    assert_eq!(served.join().expect("did not panic"), [true, true]);
    sandbox.freeze().expect("frozen");
    assert!(sandbox.listen().is_err(), "nothing runs in it any more");
}

pub(crate) fn files_of_the_host_are_invisible(backend: &dyn Backend) {
    let (layer, mut sandbox) = empty(backend);
    let tests = std::env::current_exe().expect("known");
    for path in [layer.path(), tests.as_path()] {
        fails(sandbox.as_mut(), &format!("test -e {}", path.display()));
    }
    for path in
        ["/root", "/home", "/etc/shadow", "/etc/ssh", "/sys/kernel", "/boot", "/dev/kmsg", "/dev/tty", "/run/dbus"]
    {
        fails(sandbox.as_mut(), &format!("ls {path}"));
    }
    assert_eq!(text(sandbox.as_mut(), "ls -A /tmp /var/tmp /dev/shm | grep -v : | tr -d '\\n'"), "");
    assert_eq!(text(sandbox.as_mut(), "wc -l < /etc/passwd").trim(), "2");
    assert!(text(sandbox.as_mut(), "cat /proc/self/mounts").lines().count() < 50);
}

pub(crate) fn the_system_is_read_only(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    for path in
        ["/new", "/usr/new", "/usr/bin/new", "/bin/new", "/etc/passwd", "/etc/new", "/dev/new", "/proc/new", "/opt/new"]
    {
        fails(sandbox.as_mut(), &format!("echo x > {path}"));
    }
    fails(sandbox.as_mut(), "ln /usr/bin/env here");
    fails(sandbox.as_mut(), "rm -f /usr/bin/env && test ! -e /usr/bin/env");
    fails(sandbox.as_mut(), "echo 1 > /proc/sys/vm/drop_caches");
    fails(sandbox.as_mut(), "exec 9> /proc/sys/kernel/core_pattern");
    assert_eq!(
        text(sandbox.as_mut(), "for d in /work /tmp /var/tmp /dev/shm; do echo ok > $d/f && cat $d/f; done"),
        "ok\n".repeat(4)
    );
    text(
        sandbox.as_mut(),
        "echo x > /dev/null; head -c 3 /dev/zero /dev/urandom /dev/random > /dev/null; ! echo x > /dev/full",
    );
}

pub(crate) fn processes_of_the_host_are_invisible(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let count: u32 = text(sandbox.as_mut(), "ls -d /proc/[0-9]* | wc -l").trim().parse().expect("a number");
    assert!(count <= 4, "{count} processes");
    fails(sandbox.as_mut(), &format!("kill -0 {}", std::process::id()));
}

pub(crate) fn commands_have_no_capabilities_and_get_none(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let status = text(sandbox.as_mut(), "grep -E '^(Cap|NoNewPrivs|Groups)' /proc/self/status");
    for line in status.lines() {
        let (name, value) = line.split_once(':').expect("a field");
        let value = value.trim();
        match name {
            "NoNewPrivs" => assert_eq!(value, "1"),
            "Groups" => {}
            _ => assert_eq!(value.trim_start_matches('0'), "", "{line}"),
        }
    }
    fails(sandbox.as_mut(), "unshare --user true");
    fails(sandbox.as_mut(), "mount -t tmpfs none /tmp");
    fails(sandbox.as_mut(), "umount -l /proc");
    fails(sandbox.as_mut(), "mknod disk b 8 0");
    fails(sandbox.as_mut(), "chroot /");
    fails(sandbox.as_mut(), "hostname other");
    text(sandbox.as_mut(), "cp /usr/bin/id . && chmod u+s id && [ $(./id -u) = $(id -u) ]");
}

pub(crate) fn commands_are_not_root_on_the_host(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    let marker = marker();
    text(sandbox.as_mut(), &daemon(&marker));
    eventually("the process is seen", || sleepers(&marker).len() == 1);
    let status = fs::read_to_string(format!("/proc/{}/status", sleepers(&marker)[0])).expect("read");
    let ids: Vec<&str> = status.lines().filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:")).collect();
    for id in ids.iter().flat_map(|line| line.split_whitespace().skip(1)) {
        assert_ne!(id, "0", "{ids:?}");
    }
}

pub(crate) fn the_first_process_can_be_neither_killed_nor_read(backend: &dyn Backend) {
    let (_layer, mut sandbox) = empty(backend);
    crate::fixture::run(sandbox.as_mut(), "kill -9 1; kill -STOP 1; kill -SEGV 1; kill -TERM 1; kill -9 -1");
    for file in ["environ", "mem", "maps", "fd/0", "root/etc", "cwd/", "exe"] {
        fails(sandbox.as_mut(), &format!("ls /proc/1/{file} > /dev/null && head -c 1 /proc/1/{file}"));
    }
    fails(sandbox.as_mut(), "echo -1000 > /proc/1/oom_score_adj");
    assert_eq!(text(sandbox.as_mut(), "echo alive"), "alive\n");
}

pub(crate) fn descriptors_of_the_host_are_not_inherited(backend: &dyn Backend) {
    let (layer, mut sandbox) = empty(backend);
    let open = fs::File::open(layer.path()).expect("opened");
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).expect("made inheritable");
    assert!(open.as_raw_fd() > 2);
    let list = "for fd in {0..99}; do if [ -e /proc/$$/fd/$fd ]; then echo $fd; fi; done";
    assert_eq!(text(sandbox.as_mut(), list), "0\n1\n2\n");
    let mut fresh = backend.create(&crate::fixture::spec(&[&layer])).expect("created");
    assert_eq!(text(fresh.as_mut(), list), "0\n1\n2\n");
}

pub(crate) fn sandboxes_share_nothing(backend: &dyn Backend) {
    let shared = layer(&[("file", "original")]);
    let spec = crate::fixture::spec(&[&shared]);
    let [mut one, mut other] = [(); 2].map(|()| backend.create(&spec).expect("created"));
    text(one.as_mut(), "echo changed > file; for d in /tmp /dev/shm; do touch $d/secret; done; ipcmk -M 4096 || true");
    assert_eq!(text(other.as_mut(), "cat file; ls /tmp /dev/shm | grep -c secret || true"), "original0\n");
    assert_eq!(text(other.as_mut(), "grep -vc key /proc/sysvipc/shm || true").trim(), "0");
    assert_eq!(text(one.as_mut(), "cat file"), "changed\n");
}
