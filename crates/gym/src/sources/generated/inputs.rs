//! Arguments: small values that often stand at, just below or just above each other and the constants of a function.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::evaluator::Value;

/// What an argument or a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Signed,
    Small,
    Positive,
    Big,
    /// Mostly above the number before it.
    Above,
    Bool,
    Text,
    /// Often the same from both ends.
    Mirror,
    Letter,
    Line,
    Dashed,
    Key,
    Ints,
    SomeInts,
    Ties,
    SignedInts,
    Words,
    Dict,
    Pairs,
}

const NAMES: [(&str, Kind); 20] = [
    ("int", Kind::Int),
    ("signed", Kind::Signed),
    ("small", Kind::Small),
    ("pos", Kind::Positive),
    ("big", Kind::Big),
    ("above", Kind::Above),
    ("bool", Kind::Bool),
    ("text", Kind::Text),
    ("mirror", Kind::Mirror),
    ("letter", Kind::Letter),
    ("line", Kind::Line),
    ("dashed", Kind::Dashed),
    ("key", Kind::Key),
    ("ints", Kind::Ints),
    ("ints1", Kind::SomeInts),
    ("ties", Kind::Ties),
    ("signeds", Kind::SignedInts),
    ("words", Kind::Words),
    ("dict", Kind::Dict),
    ("pairs", Kind::Pairs),
];

/// Words that occur as values; few, so that they meet again.
const WORDS: [&str; 8] = ["ant", "bee", "cat", "ox", "elk", "go", "a", "moth"];

impl Kind {
    /// The kind that a template calls `name`.
    pub(super) fn named(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("no kind of argument is called `{name}`")).1
    }

    /// The kind that stands for all kinds of the same Python type.
    pub(super) fn python_type(self) -> Self {
        match self {
            Self::Int | Self::Signed | Self::Small | Self::Positive | Self::Big | Self::Above => Self::Int,
            Self::Text | Self::Mirror | Self::Letter | Self::Line | Self::Dashed | Self::Key => Self::Text,
            Self::Ints | Self::SomeInts | Self::Ties | Self::SignedInts => Self::Ints,
            other => other,
        }
    }
}

/// Makes the arguments of one call; remembers what it made, so that later ones can be close to it.
pub(super) struct Arguments<'rng, R> {
    rng: &'rng mut R,
    numbers: Vec<i64>,
    texts: Vec<String>,
}

impl<'rng, R: Rng> Arguments<'rng, R> {
    /// Starts a call of a function with these constants.
    pub(super) fn new(rng: &'rng mut R, constants: &[i64]) -> Self {
        Self { rng, numbers: constants.to_vec(), texts: Vec::new() }
    }

    /// The next argument.
    pub(super) fn next(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Int => self.int(0, 24),
            Kind::Signed => self.int(-9, 12),
            Kind::Small => self.int(0, 6),
            Kind::Positive => self.int(1, 7),
            Kind::Big => Value::Int(
                *[7, 10, 30, 99, 304, 500, 999].choose(self.rng).expect("not empty") - self.rng.random_range(0..8),
            ),
            Kind::Above => {
                let above = self.numbers.last().copied().unwrap_or(0) + self.rng.random_range(-1..8);
                self.numbers.push(above);
                Value::Int(above)
            }
            Kind::Bool => Value::Bool(self.rng.random()),
            Kind::Text => self.text(),
            Kind::Mirror => self.mirror(),
            Kind::Letter => self.letter(),
            Kind::Line => self.line(),
            Kind::Dashed => self.dashed(),
            Kind::Key => Value::text(&self.word()),
            Kind::Ints => self.ints(0, 0, 20),
            Kind::SomeInts => self.ints(1, 0, 20),
            Kind::Ties => self.ints(0, 1, 3),
            Kind::SignedInts => self.ints(0, -9, 9),
            Kind::Words => {
                let count = self.rng.random_range(0..5);
                Value::list((0..count).map(|_| Value::text(&self.word())).collect())
            }
            Kind::Dict => self.dict(),
            Kind::Pairs => self.pairs(),
        }
    }

    fn number(&mut self, low: i64, high: i64) -> i64 {
        let known = self.numbers.choose(self.rng).copied().filter(|_| self.rng.random_bool(0.6));
        let number = match known {
            Some(known) => (known + self.rng.random_range(-1..=1)).clamp(low, high),
            None => self.rng.random_range(low..=high),
        };
        self.numbers.push(number);
        number
    }

    fn int(&mut self, low: i64, high: i64) -> Value {
        Value::Int(self.number(low, high))
    }

    fn ints(&mut self, shortest: usize, low: i64, high: i64) -> Value {
        let length = self.rng.random_range(shortest..=5);
        Value::list((0..length).map(|_| self.int(low, high)).collect())
    }

    fn letters(&mut self, length: usize) -> String {
        let mut made = String::new();
        for _ in 0..length {
            let last = made.chars().next_back().filter(|_| self.rng.random_bool(0.3));
            made.push(last.unwrap_or_else(|| char::from(self.rng.random_range(b'a'..=b'f'))));
        }
        made
    }

    /// Often the start of an earlier text, or of a length that a constant names.
    fn text(&mut self) -> Value {
        let length = usize::try_from(self.number(0, 7)).unwrap_or(0);
        let mut text = self.letters(length);
        match self.texts.choose(self.rng) {
            Some(earlier) if self.rng.random_bool(0.7) => {
                let shared = self.rng.random_range(0..=earlier.len());
                text.truncate(2);
                text.insert_str(0, &earlier[..shared]);
            }
            _ => {}
        }
        text.truncate(8);
        self.texts.push(text.clone());
        Value::text(&text)
    }

    fn mirror(&mut self) -> Value {
        let length = self.rng.random_range(0..5);
        let half = self.letters(length);
        let skipped = self.rng.random_range(0..3);
        Value::text(&half.chars().chain(half.chars().rev().skip(skipped)).collect::<String>())
    }

    fn letter(&mut self) -> Value {
        let known = self
            .texts
            .last()
            .and_then(|text| if self.rng.random_bool(0.4) { text.chars().next() } else { text.chars().next_back() });
        Value::text(&known.map_or_else(|| self.letters(1), String::from))
    }

    fn line(&mut self) -> Value {
        let count = self.rng.random_range(0..5);
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        Value::text(&words.join(if self.rng.random_bool(0.2) { "  " } else { " " }))
    }

    fn dashed(&mut self) -> Value {
        let parts: Vec<String> = (0..self.rng.random_range(1..4))
            .map(|_| {
                let length = self.rng.random_range(0..4);
                self.letters(length)
            })
            .collect();
        Value::text(&parts.join("-"))
    }

    fn word(&mut self) -> String {
        let known = self.texts.choose(self.rng).filter(|_| self.rng.random_bool(0.5)).cloned();
        let word = known.unwrap_or_else(|| (*WORDS.choose(self.rng).expect("not empty")).to_owned());
        self.texts.push(word.clone());
        word
    }

    fn dict(&mut self) -> Value {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        for _ in 0..self.rng.random_range(0..4) {
            let key = Value::text(&self.word());
            let amount = self.int(0, 12);
            if !pairs.iter().any(|(known, _)| known.equals(&key)) {
                pairs.push((key, amount));
            }
        }
        Value::dict(pairs)
    }

    fn pairs(&mut self) -> Value {
        let count = self.rng.random_range(0..4);
        Value::list(
            (0..count)
                .map(|_| {
                    let start = self.number(0, 12);
                    let end = start + self.rng.random_range(-1..7);
                    self.numbers.push(end);
                    Value::Tuple([Value::Int(start), Value::Int(end)].into())
                })
                .collect(),
        )
    }
}
