//! From text to ids and back: byte-level BPE with single digits, in the `tokenizer.json` that transformers and vLLM read.
//!
//! Text is never trusted: [`Tokenizer::encode`] spells out what looks like a control token, so only [`Tokenizer::special`] gives the ids of those.
//! Control tokens are all that were added to the vocabulary, also where the file does not call them special: tool calls in Qwen's files are
//! such. What turns a conversation into ids is the renderer's business.

use std::path::{Path, PathBuf};

use tokenizers::AddedToken;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::SplitDelimiterBehavior;

/// Ids that every byte-level vocabulary has.
const BYTES: usize = 256;

/// A vocabulary and its merges.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Learns merges from texts until the vocabulary, with the special tokens as its first ids, has `vocab_size` ids (fewer if the texts have
    /// nothing more to merge). The same texts give the same result.
    ///
    /// # Errors
    /// [`TokenizerError::Vocabulary`] when there is no room for all bytes.
    pub fn train(
        texts: &[impl AsRef<str> + Sync],
        vocab_size: usize,
        special_tokens: &[&str],
    ) -> Result<Self, TokenizerError> {
        let least = BYTES + special_tokens.len();
        if vocab_size < least {
            return Err(TokenizerError::Vocabulary { vocab_size, least });
        }
        let special = |token: &&str| AddedToken::from(*token, true).normalized(false);
        let trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(vocab_size)
            .special_tokens(special_tokens.iter().map(special).collect())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        inner.with_pre_tokenizer(Some(pre_tokenizer())).with_decoder(Some(ByteLevel::default()));
        inner
            .train(&mut TrainerWrapper::BpeTrainer(trainer), texts.iter().map(AsRef::as_ref))
            .expect("training on text in memory does not fail");
        Ok(Self::guarded(inner))
    }

    /// Ids of a text; never those of special tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let encoding = self.inner.encode_fast(text, false).expect("byte-level BPE encodes any text");
        encoding.get_ids().to_vec()
    }

    /// The text of ids. Special tokens appear by name; bytes that are not UTF-8 become replacement characters; ids outside the vocabulary
    /// are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, false).expect("byte-level BPE decodes any ids")
    }

    /// The id of a control token.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.inner.get_added_vocabulary().get_vocab().get(name).copied()
    }

    /// Whether an id is that of a control token.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().contains_key(&id)
    }

    /// Ids in all.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Ids that are lower-case words or parts of words of at least two letters, in alphabetical order.
    pub fn words(&self) -> Vec<String> {
        let is_word = |text: &String| text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut words: Vec<String> = self.inner.get_vocab(false).into_keys().filter(is_word).collect();
        words.sort();
        words
    }

    /// Writes `tokenizer.json`, at this path.
    ///
    /// # Errors
    /// [`TokenizerError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), TokenizerError> {
        let failed = |reason: String| TokenizerError::Write { path: path.to_owned(), reason };
        let text = self.inner.to_string(true).map_err(|error| failed(error.to_string()))?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|error| failed(error.to_string()))
    }

    /// Reads the `tokenizer.json` at this path.
    ///
    /// # Errors
    /// [`TokenizerError::Read`], also for a tokenizer whose control tokens could be written as text.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let failed = |reason: String| TokenizerError::Read { path: path.to_owned(), reason };
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let inner = tokenizers::Tokenizer::from_bytes(text).map_err(|error| failed(error.to_string()))?;
        let tokenizer = Self::guarded(inner);
        match tokenizer.forgeable() {
            Some(token) => Err(failed(format!("text can contain its special token `{token}`"))),
            None => Ok(tokenizer),
        }
    }

    /// Spells out control tokens in text, and cuts nothing off.
    fn guarded(mut inner: tokenizers::Tokenizer) -> Self {
        let controls = inner.get_added_tokens_decoder().into_values();
        // Only how text is split changes: the tokens are known, so they stay in the file as they were.
        inner.add_special_tokens(&controls.map(|token| AddedToken { special: true, ..token }).collect::<Vec<_>>());
        inner.set_encode_special_tokens(true);
        inner.with_truncation(None).expect("no truncation is always possible").with_padding(None);
        Self { inner }
    }

    /// A control token that encoding its name gives.
    fn forgeable(&self) -> Option<String> {
        let tokens = self.inner.get_added_tokens_decoder();
        let forged =
            |(id, token): (u32, AddedToken)| self.encode(&token.content).contains(&id).then_some(token.content);
        tokens.into_iter().find_map(forged)
    }
}

/// What merges never cross: runs of letters, line ends with their indentation, brackets and quotes one by one, and what is left
/// between them. A name or an expression has the same ids wherever it stands, so that copying it is repeating ids.
const PIECES: &str = "[A-Za-z]+|\\n *|[()\\[\\]{}`'\"]|[^A-Za-z\\n()\\[\\]{}`'\"]+";

/// Every digit alone, then [`PIECES`].
fn pre_tokenizer() -> PreTokenizerWrapper {
    let pieces = Split::new(SplitPattern::Regex(PIECES.to_owned()), SplitDelimiterBehavior::Isolated, false)
        .expect("the pattern is constant and valid");
    let bytes = ByteLevel::default().add_prefix_space(false).use_regex(false);
    PreTokenizerWrapper::Sequence(Sequence::new(vec![Digits::new(true).into(), pieces.into(), bytes.into()]))
}

/// Failures of a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The vocabulary is too small.
    #[error("a vocabulary of {vocab_size} has no room for all bytes and special tokens; {least} is the least")]
    Vocabulary {
        /// Size asked for.
        vocab_size: usize,
        /// Smallest size that works.
        least: usize,
    },
    /// A file cannot be used.
    #[error("tokenizer `{path}` cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error("tokenizer `{path}` cannot be written: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIALS: [&str; 3] = ["<|user|>", "<|end|>", "<|tool|>"];

    fn texts() -> Vec<String> {
        (0..200).map(|i| format!("def total_{i}(values):\n    return sum(values) + {i}\n")).collect()
    }

    fn tokenizer() -> Tokenizer {
        Tokenizer::train(&texts(), 320, &SPECIALS).unwrap()
    }

    #[test]
    fn any_text_comes_back() {
        let tokenizer = tokenizer();
        let hostile = "x\0\r\n\t  naïve 日本語 🦀 ﷽ \u{feff} 𐍈 <|end|> <|endend|>";
        for text in ["", " ", "def total(values): return 12345", hostile] {
            let ids = tokenizer.encode(text);
            assert_eq!(tokenizer.decode(&ids), text);
            assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        }
    }

    #[test]
    fn text_never_becomes_a_special_token() {
        let tokenizer = tokenizer();
        for (index, name) in SPECIALS.iter().enumerate() {
            assert_eq!(tokenizer.special(name), Some(index as u32));
            for text in [(*name).to_owned(), format!("a{name}b {name}{name}"), format!("{name}\n")] {
                assert!(tokenizer.encode(&text).iter().all(|&id| id >= 3), "{text}");
            }
        }
        assert_eq!((tokenizer.special("def"), tokenizer.special("<|x|>")), (None, None));
        assert_eq!(tokenizer.decode(&[1, tokenizer.encode("a")[0]]), "<|end|>a");
    }

    #[test]
    fn digits_stand_alone_and_frequent_words_are_one_id() {
        let tokenizer = tokenizer();
        assert_eq!(tokenizer.encode("123456").len(), 6);
        assert_eq!(tokenizer.encode("values").len(), 1);
        assert!(tokenizer.vocab_size() < 320, "the texts have nothing more to merge");
        assert_eq!(Tokenizer::train(&texts(), 270, &SPECIALS).unwrap().vocab_size(), 270);
    }

    #[test]
    fn the_same_texts_give_the_same_file_and_a_file_gives_the_same_tokenizer() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second, third) = (dir.path().join("1.json"), dir.path().join("2.json"), dir.path().join("3.json"));
        tokenizer().save(&first).unwrap();
        tokenizer().save(&second).unwrap();
        let loaded = Tokenizer::load(&first).unwrap();
        loaded.save(&third).unwrap();
        let text = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!(text(&first), text(&second));
        assert_eq!(text(&first), text(&third));
        assert!(loaded.encode("<|end|>").iter().all(|&id| id >= 3));
        assert_eq!(loaded.special("<|tool|>"), Some(2));
    }

    #[test]
    fn half_a_character_is_replaced() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode("é");
        assert_eq!(ids.len(), 2);
        assert_eq!(tokenizer.decode(&ids[..1]), "\u{fffd}");
        assert_eq!(tokenizer.decode(&[ids[1], 5000, ids[1]]), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn bad_files_and_sizes_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        let error = |result: Result<Tokenizer, TokenizerError>| result.err().unwrap().to_string();
        assert!(error(Tokenizer::load(&path)).contains("No such file"));
        tokenizer().save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(error(Tokenizer::load(&path)).contains("EOF"));
        let whole_words = text.replace("\"ignore_merges\": false", "\"ignore_merges\": true").replace("<|end|>", "def");
        std::fs::write(&path, whole_words).unwrap();
        assert!(error(Tokenizer::load(&path)).ends_with("text can contain its special token `def`"));
        assert_eq!(
            error(Tokenizer::train(&texts(), 258, &SPECIALS)),
            "a vocabulary of 258 has no room for all bytes and special tokens; 259 is the least"
        );
    }
}
