//! A real registry on this machine: Debian's `docker-registry`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use ureq::Agent;

use crate::build::Layout;

/// `user` with the password `secret`.
const USERS: &str = "user:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

/// A running registry. Dropping it ends it.
pub(crate) struct Registry {
    process: Child,
    pub(crate) address: String,
    authorization: Option<&'static str>,
    _directory: TempDir,
}

impl Registry {
    /// Starts one; `None` where it is not installed.
    pub(crate) fn start(with_users: bool) -> Option<Self> {
        let program =
            ["/usr/bin/docker-registry", "/usr/bin/registry"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("skipped: the package docker-registry is not installed");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("known").port();
        let address = format!("127.0.0.1:{free}");
        let users = directory.path().join("users");
        std::fs::write(&users, USERS).expect("written");
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", users.display());
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n{}",
            directory.path().join("data").display(),
            if with_users { &auth } else { "" }
        );
        let file = directory.path().join("config.yml");
        std::fs::write(&file, config).expect("written");
        let process = Command::new(program)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let authorization = with_users.then_some("Basic dXNlcjpzZWNyZXQ=");
        let registry = Self { process, address, authorization, _directory: directory };
        for _ in 0..1500 {
            if TcpStream::connect(&registry.address).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the registry does not start");
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.address)
    }

    /// Puts all of a layout under a name and a tag.
    pub(crate) fn push(&self, layout: &Layout, name: &str, tag: &str) {
        let agent: Agent = Agent::config_builder().http_status_as_error(true).build().into();
        for digest in layout.layers.iter().chain([&layout.config]) {
            let mut start = agent.post(self.url(&format!("{name}/blobs/uploads/")));
            if let Some(value) = self.authorization {
                start = start.header("authorization", value);
            }
            let started = start.send_empty().expect("upload started");
            let place = started.headers()["location"].to_str().expect("text").to_owned();
            let mut put =
                agent.put(format!("{place}&digest={digest}")).header("content-type", "application/octet-stream");
            if let Some(value) = self.authorization {
                put = put.header("authorization", value);
            }
            put.send(&std::fs::read(layout.blob(digest)).expect("read")[..]).expect("uploaded");
        }
        let manifest = std::fs::read(layout.blob(&layout.manifest)).expect("read");
        self.put_manifest(name, &layout.manifest.to_string(), "application/vnd.oci.image.manifest.v1+json", &manifest);
        self.put_manifest(name, tag, "application/vnd.oci.image.manifest.v1+json", &manifest);
    }

    pub(crate) fn put_manifest(&self, name: &str, tag: &str, kind: &str, bytes: &[u8]) {
        let mut put = ureq::put(self.url(&format!("{name}/manifests/{tag}"))).header("content-type", kind);
        if let Some(value) = self.authorization {
            put = put.header("authorization", value);
        }
        put.send(bytes).expect("put");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
