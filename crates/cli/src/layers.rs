//! How settings come together: compiled-in defaults, then a file, then the environment, then the command line.
//!
//! The defaults also say which settings exist and of which type they are. After [`resolve`] nobody reads files, environment
//! or flags for settings again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::exit::{Failure, Kind};
use crate::settings::Settings;

/// The commented defaults.
pub(crate) const DEFAULTS: &str = include_str!("../defaults.toml");
const FILE: &str = "basis.toml";
const PREFIX: &str = "BASIS_";
const FILE_VARIABLE: &str = "BASIS_CONFIG";

/// The settings in effect and where each one comes from.
#[derive(Debug)]
pub(crate) struct Effective {
    table: Table,
    origins: BTreeMap<String, Origin>,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// `--set`.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "`{}`", path.display()),
            Self::Environment(variable) => write!(formatter, "environment variable {variable}"),
            Self::Flag => write!(formatter, "--set"),
        }
    }
}

/// Puts all layers together.
pub(crate) fn resolve(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    flags: &[String],
) -> Result<Effective, Failure> {
    let variables: BTreeMap<String, String> = environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    let mut effective = Effective::defaults();
    let named = file.map(PathBuf::from).or_else(|| variables.get(FILE_VARIABLE).map(PathBuf::from));
    if let Some(path) = named.or_else(|| Path::new(FILE).is_file().then(|| PathBuf::from(FILE))) {
        effective.add_file(&path)?;
    }
    for (variable, text) in variables.iter().filter(|(variable, _)| *variable != FILE_VARIABLE) {
        effective.add_variable(variable, text)?;
    }
    for flag in flags {
        effective.add_flag(flag)?;
    }
    Ok(effective)
}

impl Effective {
    fn defaults() -> Self {
        let table = DEFAULTS.parse().expect("defaults.toml is valid, a test reads it");
        Self { table, origins: BTreeMap::new() }
    }

    /// The settings, typed and within their ranges.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let settings = Settings::deserialize(self.table.clone())
            .map_err(|error| usage(format!("settings: {}", error.message())))?;
        match settings.check() {
            Ok(()) => Ok(settings),
            Err(reason) => Err(usage(reason)),
        }
    }

    /// All settings as TOML, without comments.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(&self.table).expect("what was read as TOML can be written as TOML")
    }

    /// Whether somebody has set it to something else than its default.
    pub(crate) fn is_changed(&self, name: &str) -> bool {
        self.origins.contains_key(name) && self.get(name) != Self::defaults().get(name)
    }

    /// Every setting in the order of `defaults.toml`'s sections, with where it comes from unless that is the default.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (String, &Value, Option<&Origin>)> {
        leaves("", &self.table).into_iter().map(|(name, value)| {
            let origin = self.origins.get(&name);
            (name, value, origin)
        })
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        let origin = Origin::File(path.to_path_buf());
        let text = std::fs::read_to_string(path).map_err(|error| usage(format!("settings file {origin}: {error}")))?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| usage(syntax(path, &text, &error)))?;
        self.add_table("", table, &origin)
    }

    fn add_table(&mut self, section: &str, table: Table, origin: &Origin) -> Result<(), Failure> {
        for (key, value) in table {
            let name = join(section, &key);
            match value {
                Value::Table(inner) => self.add_table(&name, inner, origin)?,
                value => self.put(&name, value, origin)?,
            }
        }
        Ok(())
    }

    fn add_variable(&mut self, variable: &str, text: &str) -> Result<(), Failure> {
        let origin = Origin::Environment(variable.to_owned());
        let names: Vec<(String, String)> = self.entries().map(|(name, ..)| (variable_of(&name), name)).collect();
        let Some((_, name)) = names.iter().find(|(known, _)| known == variable) else {
            let known = names.iter().map(|(known, _)| known.as_str()).chain([FILE_VARIABLE]);
            let failure = usage(format!("unknown environment variable {variable}"));
            return Err(suggest(failure, variable, known));
        };
        let value = self.parse(name, text, &origin)?;
        self.put(name, value, &origin)
    }

    fn add_flag(&mut self, flag: &str) -> Result<(), Failure> {
        let Some((name, text)) = flag.split_once('=') else {
            return Err(usage(format!("`--set {flag}`: expected SECTION.KEY=VALUE")));
        };
        let value = self.parse(name, text, &Origin::Flag)?;
        self.put(name, value, &Origin::Flag)
    }

    /// Reads text as the type that the setting has by default; text needs no quotes.
    fn parse(&self, name: &str, text: &str, origin: &Origin) -> Result<Value, Failure> {
        let current = self.get(name).ok_or_else(|| self.unknown(name, origin))?;
        let value = match current {
            Value::Integer(_) => text.parse().ok().map(Value::Integer),
            Value::Float(_) => text.parse().ok().map(Value::Float),
            Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
            _ => Some(Value::String(text.to_owned())),
        };
        value.ok_or_else(|| usage(format!("`{name}` from {origin}: expected {}, got `{text}`", type_of(current))))
    }

    fn put(&mut self, name: &str, value: Value, origin: &Origin) -> Result<(), Failure> {
        let current = self.get(name).ok_or_else(|| self.unknown(name, origin))?;
        let value = match (current, value) {
            // Whoever writes `temperature = 1` means 1.0.
            (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
            (_, value) => value,
        };
        if current.type_str() != value.type_str() {
            let message = format!("`{name}` from {origin}: expected {}, got {}", type_of(current), type_of(&value));
            return Err(usage(message));
        }
        // All whole numbers here are counts or seeds.
        if value.as_integer().is_some_and(i64::is_negative) {
            return Err(usage(format!("`{name}` from {origin}: {value} is negative")));
        }
        let (section, key) = name.rsplit_once('.').expect("a known name has a section");
        let mut sections = section.split('.');
        let first = &mut self.table[sections.next().expect("a text has a first part")];
        sections.fold(first, |table, section| &mut table[section])[key] = value;
        self.origins.insert(name.to_owned(), origin.clone());
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let (section, key) = name.rsplit_once('.')?;
        let mut table = &self.table;
        for section in section.split('.') {
            table = table.get(section)?.as_table()?;
        }
        table.get(key).filter(|value| !value.is_table())
    }

    fn unknown(&self, name: &str, origin: &Origin) -> Failure {
        let names: Vec<String> = self.entries().map(|(name, ..)| name).collect();
        suggest(usage(format!("unknown setting `{name}` from {origin}")), name, names.iter().map(String::as_str))
    }
}

/// The settings below a section, with their full names.
fn leaves<'a>(section: &str, table: &'a Table) -> Vec<(String, &'a Value)> {
    let below = |(key, value): (&String, &'a Value)| match value {
        Value::Table(inner) => leaves(&join(section, key), inner),
        value => vec![(join(section, key), value)],
    };
    table.iter().flat_map(below).collect()
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// `train.group_size` is `BASIS_TRAIN_GROUP_SIZE`.
pub(crate) fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

fn usage(message: String) -> Failure {
    Failure::new(Kind::Usage, message)
}

fn suggest<'a>(failure: Failure, given: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let nearest = known
        .map(|known| (strsim::jaro_winkler(given, known), known))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    match nearest {
        Some((_, known)) => failure.hint(format!("did you mean `{known}`?")),
        None => failure.hint("`basis config` lists all settings"),
    }
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    format!("settings file `{}`, line {line}: {}", path.display(), error.message())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "`true` or `false`",
        Value::String(_) => "text",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Settings, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, file).unwrap();
        let variables = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let shown = |failure: Failure| {
            let hint = failure.next_step().map_or(String::new(), |hint| format!(" | {hint}"));
            format!("{failure}{hint}").replace(&path.display().to_string(), "FILE")
        };
        resolve(Some(&path), variables, &flags).and_then(|effective| effective.settings()).map_err(shown)
    }

    #[test]
    fn every_default_has_a_field_and_every_field_a_default() {
        Effective::defaults().settings().unwrap();
    }

    #[test]
    fn later_layers_win() {
        let file = "[train]\ngroup_size = 4\niterations = 4\nclip_high = 2\n";
        let environment = [("BASIS_TRAIN_GROUP_SIZE", "5"), ("BASIS_RUN_SEED", "5")];
        let settings = check(file, &environment, &["run.seed=6"]).unwrap();
        assert_eq!((settings.train.iterations, settings.train.group_size, settings.run.seed), (4, 5, 6));
        assert_eq!(settings.train.clip_high, 2.0);
        assert_eq!(settings.eval.attempts, 3);
    }

    #[test]
    fn only_what_is_set_to_something_else_is_changed() {
        let mut effective = Effective::defaults();
        for flag in ["train.clip_high=1.28", "train.clip_low=0.5", "train.learning_rate=0.0003"] {
            effective.add_flag(flag).unwrap();
        }
        let changed = |name: &str| effective.is_changed(&format!("train.{name}"));
        assert_eq!(["clip_high", "clip_low", "learning_rate", "keep"].map(changed), [false, true, false, false]);
    }

    #[test]
    fn sections_can_have_sections() {
        let file = "[sandbox.kubernetes]\nnamespace = \"one\"\nimage = \"two\"\n";
        let environment = [("BASIS_SANDBOX_KUBERNETES_IMAGE", "three")];
        let settings = check(file, &environment, &["sandbox.kubernetes.cpus=2"]).unwrap();
        let cluster = settings.sandbox.kubernetes;
        assert_eq!((&*cluster.namespace, &*cluster.image, cluster.cpus), ("one", "three", 2.0));
        assert_eq!(settings.sandbox.backend, "namespace");
    }

    #[test]
    fn mistakes_name_the_setting_its_origin_and_the_next_step() {
        let mistakes = [
            check("[train]\ngruop_size = 4\n", &[], &[]),
            check("group_size = 4\n", &[], &[]),
            check("[train]\ngroup_size = \"many\"\n", &[], &[]),
            check("[train\n", &[], &[]),
            check("", &[("BASIS_TRAIN_GROUPS", "4")], &[]),
            check("", &[("BASIS_RUN_SEED", "x")], &[]),
            check("", &[], &["train.iteration=3"]),
            check("", &[], &["nonsense=3"]),
            check("", &[], &["train.iterations"]),
            check("", &[], &["train.group_size=1"]),
            check("", &[], &["run.seed=-1"]),
        ];
        let text: Vec<String> = mistakes.into_iter().map(Result::unwrap_err).collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
