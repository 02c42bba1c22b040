//! A real registry on this machine: Debian's `docker-registry`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use basis_sandbox::images::{Credentials, ImageError};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::build::{Compression, Layout, images, message, pull};
use crate::pull::sample;

/// `user` with the password `secret`.
const USERS: &str = "user:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

struct Registry {
    process: Child,
    address: String,
    authorization: Option<&'static str>,
    _directory: TempDir,
}

impl Registry {
    /// Starts one; `None` where it is not installed.
    fn start(with_users: bool) -> Option<Self> {
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
    fn push(&self, layout: &Layout, name: &str, tag: &str) {
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

    fn put_manifest(&self, name: &str, tag: &str, kind: &str, bytes: &[u8]) {
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

#[test]
fn an_image_comes_whole_out_of_a_real_registry() {
    let Some(registry) = Registry::start(false) else { return };
    let layout = sample(Compression::Gzip);
    registry.push(&layout, "team/small", "1");
    let (_directory, images) = images();
    let image = pull(&images, &format!("{}/team/small:1", registry.address)).expect("pulled");
    assert_eq!(image.digest, layout.manifest);
    assert_eq!(std::fs::read(image.layers[1].join("bin/tool")).expect("read"), b"new");
    let pinned = format!("{}/team/small@{}", registry.address, layout.manifest);
    assert_eq!(pull(&images, &pinned).expect("pulled").layers, image.layers);
    let text = message(pull(&images, &format!("{}/team/small:2", registry.address)));
    assert!(text.contains("manifest unknown") && text.contains("check name and tag"), "{text}");
}

#[test]
fn an_index_is_resolved_to_this_platform() {
    let Some(registry) = Registry::start(false) else { return };
    let layout = sample(Compression::Zstd);
    registry.push(&layout, "multi", "own");
    let one = |architecture: &str| -> Value {
        let size = std::fs::metadata(layout.blob(&layout.manifest)).expect("there").len();
        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": layout.manifest, "size": size,
                "platform": { "os": "linux", "architecture": architecture } })
    };
    let kind = "application/vnd.oci.image.index.v1+json";
    let put = |tag: &str, manifests: Vec<Value>| {
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": manifests });
        registry.put_manifest("multi", tag, kind, index.to_string().as_bytes());
    };
    put("all", vec![one("s390x"), one(crate::build::architecture())]);
    put("foreign", vec![one("s390x"), one("riscv64")]);
    let (_directory, images) = images();
    let image = pull(&images, &format!("{}/multi:all", registry.address)).expect("pulled");
    assert_eq!(image.digest, layout.manifest);
    let foreign = pull(&images, &format!("{}/multi:foreign", registry.address));
    assert!(message(foreign).contains("only for linux/s390x, linux/riscv64"));
}

#[test]
fn a_registry_that_wants_a_password_gets_it_or_denies() {
    let Some(registry) = Registry::start(true) else { return };
    registry.push(&sample(Compression::Gzip), "private", "1");
    let (_directory, images) = images();
    let reference = format!("{}/private:1", registry.address).parse().expect("a reference");
    let with = |user: &str, password: &str| {
        images.pull(&reference, &Credentials::Password { user: user.into(), password: password.into() })
    };
    with("user", "secret").expect("pulled");
    for denied in [with("user", "wrong"), with("nobody", "secret"), images.pull(&reference, &Credentials::Anonymous)] {
        match denied {
            Err(error @ ImageError::Denied { .. }) => assert!(error.to_string().contains("docker login"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_registry_that_is_not_there_cannot_be_reached() {
    let (_directory, images) = images();
    let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("known").port();
    match pull(&images, &format!("localhost:{free}/x:1")) {
        Err(error @ ImageError::Unreachable { .. }) => assert!(error.to_string().contains("check the name"), "{error}"),
        other => panic!("{other:?}"),
    }
}
