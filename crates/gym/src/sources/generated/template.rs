//! Templates: Python with placeholders, and a head that says what goes where.
//!
//! A template begins with `#: signature; …`, for example `#: f_(int, ints) -> int; k_ = 2..5; c_ = '-'|'.'`. A signature
//! gives kinds of arguments: the first one is that of the function itself, others are of functions that it calls, where
//! `...` stands for whatever arguments the called function has. The rest are constants: a range or alternatives; a
//! name in capitals becomes a constant of the module. A placeholder is a name that ends with `_`.

use std::sync::LazyLock;

use super::Split;
use super::inputs::Kind;

/// One way of writing a function.
#[derive(Debug)]
pub(super) struct Template {
    /// Theme and number, for example `numbers/3`.
    pub(super) name: String,
    /// The function itself: its name is `f_`.
    pub(super) signature: Signature,
    /// Functions that it calls; empty for leaves.
    pub(super) calls: Vec<Signature>,
    /// Placeholders of literals with the literals to choose from.
    pub(super) constants: Vec<(String, Vec<String>)>,
    /// Python with placeholders.
    pub(super) text: &'static str,
}

/// Kinds of arguments and result.
#[derive(Debug)]
pub(super) struct Signature {
    /// The placeholder of the function's name.
    pub(super) placeholder: String,
    /// Whether the arguments of the called function come first.
    pub(super) is_open: bool,
    /// Kinds of the arguments, after those.
    pub(super) arguments: Vec<Kind>,
    /// Kind of the result.
    pub(super) result: Kind,
}

macro_rules! themes {
    ($folder:literal: $($theme:literal)*) => {
        [$(($theme, include_str!(concat!("templates/", $folder, "/", $theme, ".py")))),*]
    };
}

static TRAIN: LazyLock<Vec<Template>> = LazyLock::new(|| {
    parse(&themes!("train": "numbers" "sequences" "strings" "tables" "intervals" "money" "counters" "wrappers"))
});

static HELD_OUT: LazyLock<Vec<Template>> = LazyLock::new(|| {
    parse(&themes!("held_out": "numbers" "sequences" "strings" "tables" "intervals" "money" "counters" "wrappers"))
});

impl Template {
    /// All templates of a split.
    pub(super) fn all(split: Split) -> &'static [Self] {
        match split {
            Split::Train => &TRAIN,
            Split::HeldOut => &HELD_OUT,
        }
    }

    /// Whether it calls nothing.
    pub(super) fn is_leaf(&self) -> bool {
        self.calls.is_empty()
    }
}

fn parse(themes: &[(&str, &'static str)]) -> Vec<Template> {
    let of_theme = |(theme, text): &(&str, &'static str)| -> Vec<Template> {
        let parts = text.split("#: ").skip(1).enumerate();
        parts.map(|(number, part)| template(format!("{theme}/{number}"), part)).collect()
    };
    themes.iter().flat_map(of_theme).collect()
}

fn template(name: String, part: &'static str) -> Template {
    let (head, text) = part.split_once('\n').expect("a template has a text");
    let (signatures, constants): (Vec<&str>, Vec<&str>) = head.split("; ").partition(|item| item.contains("->"));
    let mut signatures: Vec<Signature> = signatures.into_iter().map(signature).collect();
    let own = signatures.remove(0);
    let constants = constants.into_iter().map(constant).collect();
    Template { name, signature: own, calls: signatures, constants, text: text.trim_end() }
}

fn signature(item: &str) -> Signature {
    let (left, result) = item.split_once(") -> ").expect("a signature has a result");
    let (placeholder, arguments) = left.split_once('(').expect("a signature has arguments");
    let (is_open, arguments) = match arguments.strip_prefix("...") {
        Some(rest) => (true, rest.trim_start_matches(", ")),
        None => (false, arguments),
    };
    Signature {
        placeholder: placeholder.to_owned(),
        is_open,
        arguments: arguments.split(", ").filter(|kind| !kind.is_empty()).map(Kind::named).collect(),
        result: Kind::named(result.trim()),
    }
}

fn constant(item: &str) -> (String, Vec<String>) {
    let (name, choices) = item.split_once(" = ").expect("a constant has choices");
    let choices = match choices.split_once("..") {
        Some((low, high)) => {
            let number = |text: &str| text.trim().parse::<i64>().expect("a range has whole numbers");
            (number(low)..=number(high)).map(|number| number.to_string()).collect()
        }
        None => choices.split('|').map(|choice| choice.trim().to_owned()).collect(),
    };
    (name.to_owned(), choices)
}
