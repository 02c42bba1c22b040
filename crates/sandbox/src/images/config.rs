//! How an image wants its commands to be run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a configuration says about running commands. Health checks, ports and volumes are not kept: nothing here uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The environment of every command.
    pub env: BTreeMap<String, String>,
    /// Where commands start; `/` when the image does not say.
    pub workdir: String,
    /// The user that the image names, for information: a sandbox has one user, to whom all files belong.
    pub user: String,
    /// What is put before a command when the image is run.
    pub entrypoint: Vec<String>,
    /// What runs when no command is given.
    pub command: Vec<String>,
}

/// The JSON of a configuration, as far as it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) architecture: String,
    pub(super) rootfs: RootFs,
    config: Option<Run>,
}

/// The layers by the digests of their uncompressed archives.
#[derive(Debug, Deserialize)]
pub(super) struct RootFs {
    pub(super) diff_ids: Vec<super::Digest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    env: Option<Vec<String>>,
    working_dir: String,
    user: String,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
}

impl Raw {
    pub(super) fn run(&self) -> ImageConfig {
        let none = Run::default();
        let run = self.config.as_ref().unwrap_or(&none);
        let variable = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        ImageConfig {
            env: run.env.iter().flatten().filter_map(variable).collect(),
            workdir: if run.working_dir.starts_with('/') { run.working_dir.clone() } else { "/".into() },
            user: run.user.clone(),
            entrypoint: run.entrypoint.clone().unwrap_or_default(),
            command: run.cmd.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_null_gets_its_default() {
        let parse = |config: &str| {
            let text = format!(r#"{{"rootfs": {{"type": "layers", "diff_ids": []}}{config}}}"#);
            serde_json::from_str::<Raw>(&text).expect("parsed").run()
        };
        let empty = ImageConfig { workdir: "/".into(), ..ImageConfig::default() };
        assert_eq!(parse(""), empty);
        assert_eq!(parse(r#", "config": {"Env": null, "Cmd": null, "Entrypoint": null}"#), empty);
        let full =
            parse(r#", "config": {"Env": ["A=b=c", "odd"], "WorkingDir": "/testbed", "User": "1000", "Cmd": ["sh"]}"#);
        assert_eq!(full.env, BTreeMap::from([("A".into(), "b=c".into())]));
        assert_eq!((full.workdir.as_str(), full.user.as_str(), full.command), ("/testbed", "1000", vec!["sh".into()]));
    }
}
