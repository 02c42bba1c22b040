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
///
/// Most names are put together from `pieces`, the words of the tokenizer, so that the ids of every name that a package could
/// have were copied in training; the others, and all without pieces, are letters.
pub fn copies(episodes: &[Episode], copies: u32, pieces: &[String], seed: u64) -> Vec<Episode> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut renamed = Vec::with_capacity(episodes.len() * copies as usize);
    for _ in 0..copies {
        renamed.extend(episodes.iter().map(|episode| renamed_once(episode, pieces, &mut rng)));
    }
    renamed
}

fn renamed_once(episode: &Episode, pieces: &[String], rng: &mut impl Rng) -> Episode {
    let names = fresh_names(words(episode), pieces, rng);
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

/// Words of paths, of defined functions and classes, of their parameters, of what is assigned, and of called functions with an
/// underscore; in lower case.
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
            assigned(line).into_iter().for_each(|target| add(target, &mut words));
        }
    }
    words
}

/// What a line of code assigns to: the left side of `=`, `+=` and the like, and the variables of `for`.
fn assigned(line: &str) -> Vec<&str> {
    let is_target = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.,[] ".contains(c));
    let loops = line.split("for ").skip(1).filter_map(|rest| rest.split_once(" in ")).map(|(target, _)| target);
    let left =
        [" = ", " += ", " -= ", " *= "].into_iter().filter_map(|sign| line.split_once(sign)).map(|(left, _)| left);
    loops.chain(left).filter(is_target).collect()
}

fn add(text: &str, words: &mut BTreeSet<String>) {
    let parts = text.split(|c: char| !c.is_ascii_alphabetic()).flat_map(parts).map(str::to_ascii_lowercase);
    words.extend(parts.filter(|word| word.len() >= 3 && !RESERVED.contains(&word.as_str())));
}

/// The words of a run of letters: `PuzzlePlanet` has two, `limit` and `LIMIT` have one.
fn parts(run: &str) -> Vec<&str> {
    let bytes = run.as_bytes();
    let is_start = |at: &usize| bytes[at - 1].is_ascii_lowercase() && bytes[*at].is_ascii_uppercase();
    let mut rest = run;
    let mut parts = Vec::new();
    for at in (1..run.len()).filter(is_start).rev() {
        let (head, part) = rest.split_at(at);
        parts.push(part);
        rest = head;
    }
    parts.push(rest);
    parts.reverse();
    parts
}

fn fresh_names(words: BTreeSet<String>, pieces: &[String], rng: &mut impl Rng) -> BTreeMap<String, String> {
    let mut taken = words.clone();
    let mut fresh = || loop {
        let name = if !pieces.is_empty() && rng.random_bool(0.75) { composed(pieces, rng) } else { name(rng) };
        if !RESERVED.contains(&name.as_str()) && taken.insert(name.clone()) {
            return name;
        }
    };
    words.into_iter().map(|word| (word, fresh())).collect()
}

/// One to three pieces, three to ten letters.
fn composed(pieces: &[String], rng: &mut impl Rng) -> String {
    loop {
        let count = rng.random_range(1..=3);
        let name: String = (0..count).map(|_| pieces[rng.random_range(0..pieces.len())].as_str()).collect();
        if (3..=10).contains(&name.len()) {
            return name;
        }
    }
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
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        out.extend(parts(&rest[start..end]).into_iter().map(|word| replace_word(word, names)));
        rest = &rest[end..];
    }
    out + rest
}

/// The new name of a word, in the word's case.
fn replace_word(word: &str, names: &BTreeMap<String, String>) -> String {
    let Some(name) = names.get(&word.to_ascii_lowercase()) else { return word.to_owned() };
    let is_upper = |c: char| c.is_ascii_uppercase();
    match (word.starts_with(is_upper), word.chars().all(is_upper)) {
        (_, true) => name.to_ascii_uppercase(),
        (true, false) => name[..1].to_ascii_uppercase() + &name[1..],
        (false, _) => name.clone(),
    }
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
        let draw = || fresh_names(words.clone(), &[], &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(draw(), draw());
        let distinct: BTreeSet<String> = draw().into_values().collect();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn names_keep_the_case_of_the_words_they_replace() {
        let names = BTreeMap::from([("puzzle".to_owned(), "bofi".to_owned()), ("rim".to_owned(), "zun".to_owned())]);
        assert_eq!(replace_words("PuzzleRim(PUZZLE_RIM, rim) == RIMS", &names), "BofiZun(BOFI_ZUN, zun) == RIMS");
    }

    #[test]
    fn names_are_put_together_from_pieces() {
        let (pieces, mut rng) = (["int".to_owned(), "wi".to_owned()], ChaCha8Rng::seed_from_u64(5));
        let name = composed(&pieces, &mut rng);
        assert!((3..=10).contains(&name.len()) && name.replace("int", "").replace("wi", "").is_empty(), "{name}");
    }

    #[test]
    fn what_is_assigned_is_a_name() {
        assert_eq!(assigned("    total += day"), ["    total"]);
        assert_eq!(assigned("    for at, (x) in pairs:"), Vec::<&str>::new());
        assert_eq!(assigned("    for at, day in pairs:"), ["at, day"]);
        assert_eq!(assigned("    self.gap = []"), ["    self.gap"]);
        assert_eq!(assigned("print(a == b)"), Vec::<&str>::new());
    }

    #[test]
    fn words_of_paths_definitions_and_parameters_are_names() {
        let mut found = BTreeSet::new();
        add("oak_mill/limits", &mut found);
        add("clamp_value(amount, low", &mut found);
        assert_eq!(found, ["amount", "clamp", "limits", "low", "mill", "oak", "value"].map(str::to_owned).into());
    }
}
