//! What was computed for an id, by all ids up to it: another sequence that says the same need not compute it again.
//!
//! Episodes of one group begin alike and often go on alike, turn after turn. Full blocks are shared by [`super::sessions`]; here is what
//! stands in blocks that are not full, and the logits that the next id is drawn from. A row's result depends on its ids alone, so this
//! changes nothing but the time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::cache::key_after;

/// Bytes that are remembered at most; beyond that the oldest go.
const BYTES: usize = 16 << 20;
/// Ids that there has to be room for: fewer would be gone before somebody needs them. Models with large vocabularies have none.
const FEWEST: usize = 1024;

/// Shared by all threads.
pub(crate) struct Memo {
    /// Ids that are remembered.
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    known: HashMap<u64, Arc<Known>>,
    /// Keys, oldest first.
    order: VecDeque<u64>,
}

/// What was computed for one id.
pub(crate) struct Known {
    /// The key of all ids before.
    pub(crate) before: u64,
    pub(crate) id: u32,
    /// Its keys and values, as [`super::cache::Block::token`] gives them.
    pub(crate) token: Vec<f32>,
    /// What the id after it is drawn from; nothing where nobody asked.
    pub(crate) logits: Option<Vec<f32>>,
}

impl Memo {
    /// For ids that take so many bytes, with their logits.
    pub(crate) fn new(bytes: usize) -> Memo {
        let most = BYTES / bytes;
        Memo { most: if most < FEWEST { 0 } else { most }, inner: Mutex::default() }
    }

    /// Whether anything is remembered.
    pub(crate) fn is_on(&self) -> bool {
        self.most > 0
    }

    /// What is known of an id after those with the key `before`, with logits if they are wanted.
    pub(crate) fn find(&self, before: u64, id: u32, with_logits: bool) -> Option<Arc<Known>> {
        if !self.is_on() {
            return None;
        }
        let inner = self.inner.lock().expect("nothing panics while it holds what is known");
        let known = inner.known.get(&key_after(before, &[id]))?;
        let fits = known.before == before && known.id == id && (known.logits.is_some() || !with_logits);
        fits.then(|| known.clone())
    }

    /// Remembers an id, in the place of what was known of it without logits.
    pub(crate) fn keep(&self, known: Known) {
        let mut inner = self.inner.lock().expect("nothing panics while it holds what is known");
        let Inner { known: all, order } = &mut *inner;
        let key = key_after(known.before, &[known.id]);
        if all.insert(key, Arc::new(known)).is_none() {
            order.push_back(key);
        }
        while order.len() > self.most {
            all.remove(&order.pop_front().expect("there are some"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(before: u64, id: u32, logits: Option<f32>) -> Known {
        Known { before, id, token: vec![id as f32], logits: logits.map(|logit| vec![logit]) }
    }

    #[test]
    fn an_id_is_known_after_the_same_ids_only_and_with_logits_if_somebody_drew_from_them() {
        let memo = Memo { most: 8, inner: Mutex::default() };
        memo.keep(known(1, 7, None));
        assert_eq!(memo.find(1, 7, false).expect("it was kept").token, [7.0]);
        assert!(
            memo.find(1, 7, true).is_none() && memo.find(2, 7, false).is_none() && memo.find(1, 8, false).is_none()
        );
        memo.keep(known(1, 7, Some(0.5)));
        assert_eq!(memo.find(1, 7, true).expect("it was kept").logits.as_deref(), Some(&[0.5][..]));
    }

    #[test]
    fn the_oldest_ids_go_first() {
        let memo = Memo { most: 3, inner: Mutex::default() };
        (0..5).for_each(|id| memo.keep(known(0, id, None)));
        let found: Vec<bool> = (0..5).map(|id| memo.find(0, id, false).is_some()).collect();
        assert_eq!(found, [false, false, true, true, true]);
    }

    #[test]
    fn models_with_large_vocabularies_remember_nothing() {
        assert!(Memo::new(6 << 10).is_on() && !Memo::new(151_936 * 4).is_on());
    }
}
