//! `basis config`: the settings in effect.

use std::collections::BTreeMap;

use toml::Value;

use crate::context::Context;
use crate::exit::Failure;
use crate::layers;
use crate::printer::Style;

/// Print the settings in effect and where each one comes from
///
/// The output is a valid settings file. Every setting can also be given by an environment variable, BASIS_<SECTION>_<KEY>;
/// `--variables` lists them all. Beside them basis reads BASIS_CONFIG (the settings file), NO_COLOR (no colours), PATH
/// (where `python3` is looked for), KUBECONFIG and HOME (where clusters are looked for) and OPENAI_API_KEY (the key for the
/// policy `http`).
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// List the environment variables that change settings
    #[arg(long)]
    variables: bool,
    /// Print the commented defaults instead, to begin a `basis.toml` from
    #[arg(long, conflicts_with = "variables")]
    defaults: bool,
}

pub(crate) fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    if arguments.defaults {
        context.printer.data(layers::DEFAULTS.trim_end());
    } else if arguments.variables {
        for (name, value, _) in context.effective.entries() {
            context.printer.data(format_args!("{}={}", layers::variable_of(&name), plain(value)));
        }
    } else if context.printer.is_json() {
        let settings: BTreeMap<String, &Value> =
            context.effective.entries().map(|(name, value, _)| (name, value)).collect();
        context.printer.json(&settings);
    } else {
        print(context);
    }
    Ok(())
}

fn print(context: &Context<'_>) {
    let mut last = String::new();
    for (name, value, origin) in context.effective.entries() {
        let (section, key) = name.rsplit_once('.').expect("every setting has a section");
        if section != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            context
                .printer
                .data(format_args!("{gap}{}", context.printer.styled(Style::Bold, format_args!("[{section}]"))));
            last = section.to_owned();
        }
        let remark = origin.map(|origin| context.printer.styled(Style::Dim, format_args!("  # from {origin}")));
        context.printer.data(format_args!("{key} = {value}{}", remark.unwrap_or_default()));
    }
}

/// A value as an environment variable holds it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
