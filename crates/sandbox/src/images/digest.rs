//! Digests of content, and readers that compute them on the way.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of some content, in the notation `sha256:<64 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// The hexadecimal digits; safe as the name of a file.
    pub fn hex(&self) -> &str {
        &self.0
    }

    fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match text.strip_prefix("sha256:").filter(digits) {
            Some(hex) => Ok(Self(hex.into())),
            None => Err(format!("`{text}` is not a digest of the form `sha256:<64 hexadecimal digits>`")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.0)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes the digest and length of what is read through it.
pub(super) struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    length: u64,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), length: 0 }
    }

    /// Reads what is left, at most `most` bytes, and gives the digest and length of all.
    pub(super) fn finish(mut self, most: u64) -> io::Result<(Digest, u64)> {
        let rest = io::copy(&mut (&mut self).take(most.saturating_add(1)), &mut io::sink())?;
        if rest > most {
            return Err(io::Error::other("more follows than was announced"));
        }
        Ok((Digest::finish(self.hasher), self.length))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn content_has_its_digest_read_at_once_or_in_parts() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        let mut reader = Hashing::new(&b"abc"[..]);
        reader.read_exact(&mut [0; 2]).expect("read");
        assert_eq!(reader.finish(10).expect("read"), (Digest::of(b"abc"), 3));
        assert!(Hashing::new(&b"abc"[..]).finish(2).is_err());
    }

    #[test]
    fn only_the_one_notation_is_a_digest() {
        assert_eq!(EMPTY.parse::<Digest>().expect("parsed").to_string(), EMPTY);
        for text in ["", "sha256:", "sha512:00", "sha256:../../etc/passwd", &EMPTY.to_uppercase(), &EMPTY[7..]] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
