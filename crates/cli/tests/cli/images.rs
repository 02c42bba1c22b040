//! An image comes out of a real registry on this machine, and its programs run without a daemon.

use std::path::Path;

use serde_json::json;

use crate::build::{Compression, Layer, Layout};
use crate::service::Registry;
use crate::support::World;

/// Two layers around busybox; `None` where it is not installed.
fn image() -> Option<Layout> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().map(Path::new).find(|path| path.exists());
    let Some(busybox) = busybox else {
        eprintln!("skipped: the package busybox-static is not installed");
        return None;
    };
    let mut lower = Layer::new().file("bin/busybox", &std::fs::read(busybox).unwrap(), 0o755);
    for name in ["sh", "cat", "touch", "rm"] {
        lower = lower.link(tar::EntryType::Symlink, &format!("bin/{name}"), "busybox");
    }
    let lower = lower.file("app/greeting", b"from below", 0o644).file("app/old", b"to be hidden", 0o644);
    let upper = Layer::new().file("app/greeting", b"from above\n", 0o644).file("app/.wh.old", b"", 0);
    let run = json!({ "Env": ["PATH=/bin", "COLOUR=green"], "WorkingDir": "/app", "Cmd": ["cat", "greeting"] });
    Some(Layout::new(vec![lower, upper], Compression::Gzip, run))
}

#[test]
fn an_image_is_pulled_from_a_registry_and_its_programs_run() {
    let (Some(layout), Some(registry)) = (image(), Registry::start(false)) else { return };
    registry.push(&layout, "team/app", "1");
    let world = World::new();
    let name = format!("{}/team/app:1", registry.address);
    let run = |command: &[&str]| {
        let mut arguments = vec!["sandbox", "run", &name];
        arguments.extend(if command.is_empty() { None } else { Some("--") });
        arguments.extend(command);
        world.run(&arguments)
    };

    let pulled = world.run(&["sandbox", "pull", &name]);
    assert!(pulled.starts_with("exit code 0"), "{pulled}");
    assert!(pulled.contains(&format!("{name}: 2 layers, {}", layout.manifest)), "{pulled}");
    // From here on everything is in the cache.
    drop(registry);
    assert_eq!(run(&[]), "exit code 0\n--- stdout\nfrom above\n--- stderr\n");
    let script =
        "cat greeting; echo $COLOUR $PWD; touch /bin/new new && echo written; cat old 2>/dev/null || echo hidden";
    assert_eq!(
        run(&["sh", "-c", script]),
        "exit code 0\n--- stdout\nfrom above\ngreen /app\nwritten\nhidden\n--- stderr\n"
    );
    let failed = run(&["sh", "-c", "cat new"]);
    assert!(failed.starts_with("exit code 6") && failed.contains("the command ended with status 1"), "{failed}");

    let again = world.run(&["sandbox", "run", "--pull", &name]);
    assert!(again.starts_with("exit code 4") && again.contains("cannot be reached"), "{again}");
    let wrong = world.run(&["sandbox", "pull", "oci:nowhere"]);
    assert!(wrong.starts_with("exit code 3") && wrong.contains("nowhere"), "{wrong}");
    let nonsense = world.run(&["sandbox", "pull", "UPPER CASE"]);
    assert!(nonsense.starts_with("exit code 2"), "{nonsense}");
}
