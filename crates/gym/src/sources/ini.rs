//! What older projects say about themselves in `setup.cfg`, and what `tox.ini` installs for their tests.

use crate::tree::Tree;

/// Values by section and key, in order. A value may have several lines.
struct Ini(Vec<(String, String, Vec<String>)>);

impl Ini {
    fn parse(text: &str) -> Self {
        let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
        let mut section = String::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
            let content = line.trim();
            let continues = line.starts_with([' ', '\t']);
            if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
                && !continues
            {
                section = name.trim().to_owned();
            } else if let Some((_, _, values)) = rows.last_mut().filter(|(of, ..)| continues && *of == section) {
                values.extend((!content.is_empty()).then(|| content.to_owned()));
            } else if let Some((key, value)) = content.split_once('=') {
                let values = (!value.trim().is_empty()).then(|| value.trim().to_owned());
                rows.push((section.clone(), key.trim().to_owned(), values.into_iter().collect()));
            }
        }
        Self(rows)
    }

    fn values<'a>(&'a self, section: &'a str, is_wanted: &'a dyn Fn(&str) -> bool) -> impl Iterator<Item = &'a String> {
        let rows = self.0.iter().filter(move |(of, key, _)| of == section && is_wanted(key));
        rows.flat_map(|(_, _, values)| values)
    }
}

/// Name, version and licence as `setup.cfg` states them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) licence: Option<String>,
    /// What the project and its tests need.
    pub(super) requirements: Vec<String>,
}

/// Reads `setup.cfg` and `tox.ini`; `is_test` says whether an extra is one of tests.
pub(super) fn read(tree: &Tree, is_test: &dyn Fn(&str) -> bool) -> Stated {
    let file = |path: &str| Ini::parse(tree.text(path).unwrap_or_default());
    let (setup, tox) = (file("setup.cfg"), file("tox.ini"));
    // `attr: package.version` and the like are computed.
    let plain = |value: &&String| !value.contains(':');
    let one = |name: &str| setup.values("metadata", &|key| key == name).next().filter(plain).cloned();
    let needed = |key: &str| matches!(key, "install_requires" | "tests_require");
    let mut requirements: Vec<String> = setup.values("options", &needed).cloned().collect();
    requirements.extend(setup.values("options.extras_require", is_test).cloned());
    requirements.extend(tox.values("testenv", &|key| key == "deps").filter_map(|line| unconditional(line)));
    Stated { name: one("name"), version: one("version"), licence: one("license"), requirements }
}

/// A line of `deps` without the environments that it is for; nothing for options, files and substitutions.
fn unconditional(line: &str) -> Option<String> {
    if line.starts_with(['{', '-']) {
        return None;
    }
    let requirement = match line.split_once(':') {
        Some((factors, rest)) if factors.chars().all(|it| it.is_ascii_alphanumeric() || "-_,!{}".contains(it)) => rest,
        _ => line,
    };
    let requirement = requirement.split(" #").next().unwrap_or_default().trim();
    let is_name = requirement.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_name && !requirement.contains(['{', '/'])).then(|| requirement.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_files_state_what_tests_need() {
        let mut tree = Tree::new();
        tree.insert(
            "setup.cfg",
            "[metadata]\nname = thing\nversion = attr: thing.version\nlicense = MIT\n[options]\ninstall_requires =\n    six\n    # no\n    attrs>=20 ; python_version < '4'\n[options.extras_require]\ntest = mock\ndocs = furo\n",
        );
        tree.insert("tox.ini", "[tox]\ndeps = no\n[testenv]\ndeps = pytest\n  py27,py3: freezegun # why\n  -rother.txt\n  {env:X}\ncommands = x\n");
        let stated = read(&tree, &|name| name == "test");
        assert_eq!(
            (stated.name.as_deref(), stated.version, stated.licence.as_deref()),
            (Some("thing"), None, Some("MIT"))
        );
        assert_eq!(stated.requirements, ["six", "attrs>=20 ; python_version < '4'", "mock", "pytest", "freezegun"]);
    }
}
