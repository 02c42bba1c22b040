//! Pods and containers as real processes: namespaces by `unshare` and `nsenter`, volumes as file systems in memory.
//!
//! Run by root, each pod gets a user of its own, so that this works as it does for an ordinary user.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// Holds the namespaces and volumes of a pod until its input ends. Arguments: base, then name and size of each volume.
const PAUSE: &str = r#"set -e
base=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$base"
while [ $# -gt 0 ]; do
    mkdir -p "$base/volumes/$1"; mount -t tmpfs -o mode=777,size="$2" tmpfs "$base/volumes/$1"; shift 2
done
ip link set lo up 2> /dev/null || true
echo ready
exec cat"#;

/// Builds the root of a container and becomes its program. Arguments: base, name, number of mounts, for each of these source, target
/// and mode; then the environment and program for `env -i`.
const START: &str = r#"set -e
base=$1 root=$1/root-$2 count=$3; shift 3
mkdir -p "$root"; mount -t tmpfs -o mode=755 tmpfs "$root"; cd "$root"
mkdir proc dev etc tmp var var/tmp opt run
for d in bin sbin lib lib64 usr; do
    if [ -L /$d ]; then cp -P /$d .; elif [ -d /$d ]; then mkdir -p $d; mount --rbind /$d $d; fi
done
echo 'root:x:0:0:root:/:/bin/sh' > etc/passwd; echo 'nobody:x:65534:65534::/:/bin/false' >> etc/passwd
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for n in null zero full random urandom; do : > dev/$n; mount --bind /dev/$n dev/$n; done
ln -s /proc/self/fd dev/fd; mkdir dev/shm
while [ "$count" -gt 0 ]; do
    source=$base/volumes/$1
    [ -e "$source" ] || mkdir -p -m 777 "$source"
    if [ -d "$source" ]; then mkdir -p ".$2"; else mkdir -p ".${2%/*}"; [ -e ".$2" ] || : > ".$2"; fi
    mount --bind "$source" ".$2"
    [ "$3" = rw ] || mount -o remount,bind,ro ".$2"
    count=$((count - 1)); shift 3
done
mount -o remount,bind,ro dev; mount -o remount,bind,ro .
pivot_root . .; umount -l /; cd /
exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs env -i "$@""#;

/// Starts a program with nothing but the standard streams, as a runtime does. Whoever started this process may have left others open.
const CLOSE: &str = r#"for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
done
exec "$@""#;

/// What a pod's containers share.
pub(crate) struct Pause {
    user: Option<u32>,
    base: PathBuf,
    child: Child,
    pid: i32,
    isolated: bool,
}

impl Pause {
    /// Makes the namespaces and volumes of a pod.
    pub(crate) fn start(base: PathBuf, pod: &Value, user: Option<u32>, isolated: bool) -> io::Result<Self> {
        std::fs::create_dir_all(&base)?;
        if let Some(user) = user {
            std::os::unix::fs::chown(&base, Some(user), Some(user))?;
        }
        let mut command = command(user, "unshare");
        command.args(["--map-root-user", "--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL"]);
        if isolated {
            command.arg("--net");
        }
        command.args(["sh", "-c", PAUSE, "pause"]).arg(&base);
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            let size = volume["emptyDir"]["sizeLimit"].as_str().unwrap_or("64m");
            command.args([volume["name"].as_str().unwrap_or_default(), size]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line)?;
        let pid = only_child(child.id() as i32).filter(|_| line == "ready\n");
        let pid = pid.ok_or_else(|| io::Error::other("the pod could not be made: are user namespaces allowed?"))?;
        Ok(Self { user, base, child, pid, isolated })
    }

    /// Starts a container; the child ends when its first process does.
    pub(crate) fn container(&self, spec: &Value, variables: &[String]) -> io::Result<Child> {
        let mut command = self.enter(self.pid);
        command.args(["unshare", "-m", "-p", "--fork", "--kill-child=KILL", "sh", "-c", START, "start"]);
        command.arg(&self.base).arg(text(&spec["name"]));
        // As a runtime does: what lies above comes first.
        let mut mounts: Vec<&Value> = spec["volumeMounts"].as_array().into_iter().flatten().collect();
        mounts.sort_by_key(|mount| text(&mount["mountPath"]).matches('/').count());
        command.arg(mounts.len().to_string());
        for mount in mounts {
            let source = Path::new(text(&mount["name"])).join(text(&mount["subPath"]));
            let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
            command.arg(source).args([text(&mount["mountPath"]), mode]);
        }
        command.args(variables).args(spec["command"].as_array().into_iter().flatten().map(text));
        // A killed process makes `unshare` complain.
        command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    /// Starts a program in a container.
    pub(crate) fn exec(&self, first: i32, variables: &[String], argv: &[String]) -> io::Result<Child> {
        let mut command = self.enter(first);
        command.args([
            "setpriv",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--ambient-caps=-all",
            "--no-new-privs",
            "env",
            "-i",
        ]);
        command.args(variables).args(argv);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn enter(&self, pid: i32) -> Command {
        let mut command = command(self.user, "nsenter");
        command.args(["-t", &pid.to_string(), "-U", "-m", "-i", "-u", "-p", "--preserve-credentials"]);
        if self.isolated {
            command.arg("-n");
        }
        command.arg("--");
        command
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        kill(self.pid);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

/// The first process of a container: below the one that entered the pod and the one that made the namespaces.
pub(crate) fn first_process(child: &Child) -> io::Result<i32> {
    for _ in 0..2000 {
        if let Some(first) = only_child(child.id() as i32).and_then(only_child).filter(|first| has_begun(*first)) {
            return Ok(first);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Err(io::Error::other("the container did not start"))
}

/// Whether the root is built, and the process is what the container is for.
fn has_begun(first: i32) -> bool {
    let line = std::fs::read(format!("/proc/{first}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&line);
    let program = text.split('\0').next().and_then(|path| path.rsplit('/').next());
    program == Some("sh") && !text.contains("pivot_root")
}

/// A program run as the user of a pod.
fn command(user: Option<u32>, program: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", CLOSE, "close", program]);
    command.current_dir("/").env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    if let Some(user) = user {
        // The standard library gives up the supplementary groups too.
        command.uid(user).gid(user);
    }
    command
}

/// Kills a process, and with the first one of a namespace all in it.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// As a runtime reports how a process ended.
pub(crate) fn status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn only_child(pid: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
