//! The same command without a sandbox and in the sandboxes of other tools, for comparison.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::SandboxError;

/// Starts `argv` in the fastest way that there is and waits for its end.
pub(super) fn spawn(argv: &[&str]) -> Result<(), SandboxError> {
    run(&mut command(argv))
}

/// Forks, starts `argv` in the child and waits for its end.
pub(super) fn fork_and_exec(argv: &[&str]) -> Result<(), SandboxError> {
    let mut command = command(argv);
    // Setting the user that it is makes the standard library fork.
    command.uid(rustix::process::geteuid().as_raw());
    run(&mut command)
}

fn command(argv: &[&str]) -> Command {
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(command: &mut Command) -> Result<(), SandboxError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| SandboxError::system(format!("run {name}"), error))?;
    if status.success() { Ok(()) } else { Err(SandboxError::Lost(format!("{name} ended with {status}"))) }
}

/// A tool that makes a sandbox, runs `/bin/true` in it and removes it.
pub(super) struct Tool {
    pub(super) name: &'static str,
    argv: Vec<String>,
    path: String,
}

impl Tool {
    /// Bubblewrap with everything unshared.
    pub(super) fn bubblewrap() -> Self {
        let words = "bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib \
                     /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --clearenv /bin/true";
        Self::new("bubblewrap", words.split_whitespace())
    }

    /// An OCI runtime (`crun`, `runc`) on a bundle in `scratch`.
    pub(super) fn runtime(name: &'static str, scratch: &Path) -> Result<Self, SandboxError> {
        let bundle = scratch.join(name);
        let root = root(&bundle)?;
        let mount =
            |kind: &str, target: &str| serde_json::json!({ "destination": target, "type": kind, "source": kind });
        let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| serde_json::json!({ "type": kind }));
        let system = serde_json::json!({
            "destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro", "nosuid", "nodev"]
        });
        let configuration = serde_json::json!({
            "ociVersion": "1.0.0",
            "process": {
                "user": { "uid": 0, "gid": 0 }, "args": ["/bin/true"], "env": [], "cwd": "/", "noNewPrivileges": true,
            },
            "root": { "path": root, "readonly": true },
            "mounts": [system, mount("proc", "/proc"), mount("tmpfs", "/tmp"), mount("tmpfs", "/dev")],
            "linux": { "namespaces": namespaces },
        });
        let file = bundle.join("config.json");
        fs::write(&file, configuration.to_string())
            .map_err(|error| SandboxError::system(format!("write {}", file.display()), error))?;
        let bundle = bundle.display().to_string();
        let container = format!("basis-bench-{}", std::process::id());
        Ok(Self::new(name, [name, "run", "--bundle", &bundle, &container]))
    }

    /// `podman run` on a directory in `scratch`, with the named OCI runtime.
    pub(super) fn podman(runtime: &str, scratch: &Path) -> Result<Self, SandboxError> {
        let root = root(&scratch.join("container"))?.display().to_string();
        let runtime = format!("--runtime={runtime}");
        let before = ["podman", &runtime, "run", "--rm", "--network=none", "--read-only", "--log-driver=none"];
        let after =
            ["--ulimit=nofile=1024", "--ulimit=nproc=1024", "--volume=/usr:/usr:ro", "--rootfs", &root, "/bin/true"];
        Ok(Self::new("podman run", before.into_iter().chain(after)))
    }

    fn new<'a>(name: &'static str, words: impl IntoIterator<Item = &'a str>) -> Self {
        // Programs of administrators are looked for too.
        Self { name, argv: words.into_iter().map(Into::into).collect(), path: "/usr/sbin:/usr/bin:/sbin:/bin".into() }
    }

    /// Runs it once.
    pub(super) fn run(&self) -> Result<(), SandboxError> {
        let words: Vec<&str> = self.argv.iter().map(String::as_str).collect();
        run(command(&words).env("PATH", &self.path))
    }

    /// Why it cannot be run, from a trial.
    pub(super) fn objection(&self) -> Option<String> {
        let words: Vec<&str> = self.argv.iter().map(String::as_str).collect();
        let output = command(&words).env("PATH", &self.path).stderr(Stdio::piped()).output();
        match output {
            Err(error) => Some(error.to_string()),
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                Some(text.lines().last().unwrap_or("it failed without a word").to_owned())
            }
        }
    }
}

/// A root that shows the host's `/usr`.
fn root(bundle: &Path) -> Result<PathBuf, SandboxError> {
    let root = bundle.join("root");
    let make = || -> std::io::Result<()> {
        for name in ["usr", "proc", "dev", "tmp", "etc", "run", "sys", "var/tmp"] {
            fs::create_dir_all(root.join(name))?;
        }
        for name in ["bin", "lib", "lib64"].into_iter().filter(|name| !root.join(name).is_symlink()) {
            symlink(Path::new("usr").join(name), root.join(name))?;
        }
        Ok(())
    };
    make().map_err(|error| SandboxError::system(format!("make {}", root.display()), error))?;
    Ok(root)
}
