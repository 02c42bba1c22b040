//! One stream of a command: what is kept of it, and the last word of the shell around the command at its end.
//!
//! The last word begins with a token that the command does not know. It tells the end even when a daemon holds the stream open.

use super::by_status;
use crate::{Captured, Outcome};

/// Longer last words are none.
const LONGEST: usize = 4096;

/// A stream, and what was heard on it so far.
pub(super) struct Heard {
    token: Vec<u8>,
    keep: u64,
    captured: Captured,
    /// May be the beginning of the token.
    held: Vec<u8>,
    /// What came after the token.
    last: Option<Vec<u8>>,
    /// Whether words and a second token follow the first.
    has_words: bool,
}

impl Heard {
    pub(super) fn new(token: &str, keep: u64, has_words: bool) -> Self {
        Self { token: token.into(), keep, captured: Captured::default(), held: Vec::new(), last: None, has_words }
    }

    /// Takes bytes, and hands on those that are the command's.
    pub(super) fn push(&mut self, bytes: &[u8], sink: impl FnMut(&[u8])) {
        if let Some(last) = &mut self.last {
            let room = LONGEST.saturating_sub(last.len());
            last.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        self.held.extend_from_slice(bytes);
        if let Some(at) = find(&self.held, &self.token) {
            self.last = Some(self.held.split_off(at)[self.token.len()..].to_vec());
            self.release(at, sink);
        } else {
            // Only what may be the beginning of the token is held back.
            let longest = self.held.len().min(self.token.len());
            let begun = (1..=longest).rev().find(|count| self.token.starts_with(&self.held[self.held.len() - count..]));
            self.release(self.held.len() - begun.unwrap_or(0), sink);
        }
    }

    /// Nothing follows any more.
    pub(super) fn flush(&mut self, sink: impl FnMut(&[u8])) {
        if self.last.is_none() {
            self.release(self.held.len(), sink);
        }
    }

    fn release(&mut self, count: usize, mut sink: impl FnMut(&[u8])) {
        let rest = self.held.split_off(count);
        let sure = std::mem::replace(&mut self.held, rest);
        if !sure.is_empty() {
            keep(&mut self.captured, &sure, self.keep);
            sink(&sure);
        }
    }

    /// How many bytes the command has written.
    pub(super) fn total(&self) -> u64 {
        self.captured.total
    }

    /// Whether the last word was heard.
    pub(super) fn is_complete(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !self.has_words || find(last, &self.token).is_some())
    }

    /// What is kept.
    pub(super) fn take(&mut self) -> Captured {
        std::mem::take(&mut self.captured)
    }

    /// How the command ended, by the shell's list of jobs, status, and count of processes that memory ran out for.
    pub(super) fn farewell(&self) -> Option<Outcome> {
        let [jobs, status, kills, ..] = self.words()?;
        let status: i32 = status.parse().ok()?;
        if status != 0 && kills.parse().is_ok_and(|kills: i64| kills > 0) {
            return Some(Outcome::OutOfMemory);
        }
        // One shell tells a status from a signal; where it is not that one, large numbers are taken for signals.
        Some(if jobs.contains("Done") { Outcome::Exited(status) } else { by_status(status) })
    }

    /// Whether there was no room for another byte when the command had ended.
    pub(super) fn found_no_room(&self) -> bool {
        self.words().is_some_and(|[.., full, _]| full == "yes")
    }

    /// Whether there were as many processes as there may be when the command had failed.
    pub(super) fn found_a_crowd(&self) -> bool {
        self.words().is_some_and(|[.., crowded]| crowded == "yes")
    }

    fn words(&self) -> Option<[String; 5]> {
        let last = self.last.as_ref()?;
        let words = String::from_utf8_lossy(&last[..find(last, &self.token)?]).into_owned();
        let mut parts: Vec<String> = words.strip_suffix('|')?.rsplitn(5, '|').map(str::to_owned).collect();
        parts.reverse();
        parts.try_into().ok()
    }
}

/// Keeps the head of a stream and counts all of it.
pub(super) fn keep(captured: &mut Captured, bytes: &[u8], limit: u64) {
    let room = limit.saturating_sub(captured.bytes.len() as u64);
    let count = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
    captured.bytes.extend_from_slice(&bytes[..count]);
    captured.total += bytes.len() as u64;
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&str]) -> (Heard, String) {
        let mut heard = Heard::new("TOKEN", 1000, true);
        let mut text = String::new();
        for piece in pieces {
            heard.push(piece.as_bytes(), |bytes| text.push_str(&String::from_utf8_lossy(bytes)));
        }
        (heard, text)
    }

    #[test]
    fn the_token_is_found_wherever_the_stream_is_cut() {
        let stream = "error TOKE TOKEN[1] + 7 Done(137)|137|0|||TOKENlater";
        for cut in 0..stream.len() {
            let (heard, text) = heard(&[&stream[..cut], &stream[cut..]]);
            assert_eq!((text.as_str(), heard.farewell()), ("error TOKE ", Some(Outcome::Exited(137))), "{cut}");
            assert!(heard.is_complete());
        }
    }

    #[test]
    fn signals_and_memory_are_told_from_a_status() {
        assert_eq!(heard(&["TOKEN[1] + 7 Killed |137|0|||TOKEN"]).0.farewell(), Some(Outcome::Signalled(9)));
        assert_eq!(heard(&["TOKEN[1] + 7 Killed |137|2|||TOKEN"]).0.farewell(), Some(Outcome::OutOfMemory));
        assert_eq!(heard(&["TOKEN[1] + 7 Done|0|2|||TOKEN"]).0.farewell(), Some(Outcome::Exited(0)));
        assert_eq!(heard(&["TOKEN?|143|0|||TOKEN"]).0.farewell(), Some(Outcome::Signalled(15)));
        assert_eq!(heard(&["TOKEN?|1"]).0.farewell(), None);
        for (words, full, crowded) in [("||", false, false), ("yes||", true, false), ("|yes|", false, true)] {
            let heard = heard(&[&format!("TOKEN?|1|0|{words}TOKEN")]).0;
            assert_eq!((heard.found_no_room(), heard.found_a_crowd()), (full, crowded), "{words}");
        }
    }
}
