//! Copies of episodes in which every identifier of the package has another name.
//!
//! A small model learns a few thousand names by heart long before it learns to copy them from the prompt. Fresh names in every
//! copy leave it no choice. Renaming is consistent within an episode, so that what it shows is still what the package of those
//! names would have shown; only the order of `grep` and `ls` may differ.

use std::collections::{BTreeMap, BTreeSet};

use basis_gym::episode::{Episode, ToolCall};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words that are not names of a package even where one could stand.
const RESERVED: &[&str] = &[
    "and", "assert", "bash", "bool", "break", "cat", "class", "continue", "def", "dict", "elif", "else", "eval",
    "exit", "false", "float", "for", "from", "grep", "import", "int", "list", "new", "none", "not", "print", "python",
    "raise", "repo", "repr", "repro", "return", "self", "set", "split", "str", "test", "tests", "true", "tuple",
    "while",
];

/// `copies` renamed versions of each episode, all different; the same seed gives the same names.
pub fn copies(episodes: &[Episode], copies: u32, seed: u64) -> Vec<Episode> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut renamed = Vec::with_capacity(episodes.len() * copies as usize);
    for _ in 0..copies {
        renamed.extend(episodes.iter().map(|episode| renamed_once(episode, &mut rng)));
    }
    renamed
}

fn renamed_once(episode: &Episode, rng: &mut impl Rng) -> Episode {
    let names = fresh_names(words(episode), rng);
    let mut episode = episode.clone();
    for text in texts(&mut episode) {
        *text = replace_words(text, &names);
    }
    episode
}

/// Every text of an episode that a policy reads or writes.
fn texts(episode: &mut Episode) -> Vec<&mut String> {
    let mut texts = vec![&mut episode.prompt];
    for step in &mut episode.steps {
        texts.push(&mut step.reply.text);
        for call in &mut step.reply.calls {
            match call {
                ToolCall::Bash { command } => texts.push(command),
                ToolCall::StrReplace { path, old, new } => texts.extend([path, old, new]),
            }
        }
        texts.extend(step.observations.iter_mut().map(|seen| &mut seen.text));
    }
    texts
}

/// Words of paths, of defined functions and classes, of their parameters, and of called functions with an underscore.
fn words(episode: &Episode) -> BTreeSet<String> {
    let mut episode = episode.clone();
    let mut words = BTreeSet::new();
    for text in texts(&mut episode) {
        for line in text.lines() {
            for token in line.split(|c: char| !(c.is_ascii_alphanumeric() || "_/.".contains(c))) {
                if token.ends_with(".py") || token.contains('_') {
                    add(token.trim_end_matches(".py"), &mut words);
                }
            }
            if let Some((_, definition)) = line.split_once("def ").or_else(|| line.split_once("class ")) {
                add(definition.split(&[':', '-'][..]).next().unwrap_or_default(), &mut words);
            }
        }
    }
    words
}

fn add(text: &str, words: &mut BTreeSet<String>) {
    let parts = text.split(|c: char| !c.is_ascii_lowercase());
    let is_name = |word: &&str| word.len() >= 3 && !RESERVED.contains(word);
    words.extend(parts.filter(is_name).map(str::to_owned));
}

fn fresh_names(words: BTreeSet<String>, rng: &mut impl Rng) -> BTreeMap<String, String> {
    let mut taken = words.clone();
    let mut fresh = || loop {
        let name = name(rng);
        if !RESERVED.contains(&name.as_str()) && taken.insert(name.clone()) {
            return name;
        }
    };
    words.into_iter().map(|word| (word, fresh())).collect()
}

/// Three to eight letters: half of the names could be said, the others are any letters, so that no piece of a word is learned
/// as a word.
fn name(rng: &mut impl Rng) -> String {
    const LETTERS: [&[u8]; 2] = [b"bcdfghjklmnprstvwz", b"aeiou"];
    const ANY: &[u8] = b"aaabcddeeeefghiiijklllmmnnnooopqrrrsssttttuuvwxyz";
    let (length, first, can_be_said) = (rng.random_range(3..=8), rng.random_range(0..2), rng.random_bool(0.5));
    let letter = |at: usize, rng: &mut _| {
        let letters = if can_be_said { LETTERS[(at + first) % 2] } else { ANY };
        char::from(letters[RngExt::random_range(rng, 0..letters.len())])
    };
    (0..length).map(|at| letter(at, rng)).collect()
}

fn replace_words(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_lowercase() {
            word.push(c);
            continue;
        }
        out.push_str(names.get(&word).unwrap_or(&word));
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_everywhere_alike_and_nothing_else_does() {
        let names = BTreeMap::from([("tally".to_owned(), "bofi".to_owned()), ("cap".to_owned(), "zun".to_owned())]);
        let text = "from tally.low import cap_one\nprint(cap_one('tally', 12) == capital)";
        assert_eq!(replace_words(text, &names), "from bofi.low import zun_one\nprint(zun_one('bofi', 12) == capital)");
    }

    #[test]
    fn the_same_seed_gives_the_same_names_and_no_two_words_the_same() {
        let words: BTreeSet<String> = ["alpha", "beta", "gamma"].map(str::to_owned).into();
        let draw = || fresh_names(words.clone(), &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(draw(), draw());
        let distinct: BTreeSet<String> = draw().into_values().collect();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn words_of_paths_definitions_and_parameters_are_names() {
        let mut found = BTreeSet::new();
        add("oak_mill/limits", &mut found);
        add("clamp_value(amount, low", &mut found);
        assert_eq!(found, ["amount", "clamp", "limits", "low", "mill", "oak", "value"].map(str::to_owned).into());
    }
}
