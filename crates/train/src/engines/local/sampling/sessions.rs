//! What survives a request: the caches of sessions that will go on, and full blocks that others may share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use super::cache::{Block, Cache, Shape, TOKENS, key_after};

/// Bytes of caches that wait for their session's next request; beyond that the oldest are dropped and computed again.
const IDLE_BYTES: usize = 512 << 20;

/// Caches shared by all threads.
pub(crate) struct Sessions {
    shape: Shape,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    idle: HashMap<u64, Idle>,
    idle_blocks: usize,
    /// Counts requests, to know which cache is oldest.
    clock: u64,
    shared: HashMap<u64, Weak<Block>>,
    /// Entries of `shared` at which dead ones are removed.
    sweep_at: usize,
}

struct Idle {
    cache: Cache,
    since: u64,
}

impl Sessions {
    pub(crate) fn new(shape: Shape) -> Sessions {
        Sessions { shape, inner: Mutex::default() }
    }

    /// The cache of a session, cut to what it has in common with `ids`.
    pub(crate) fn take(&self, session: u64, ids: &[u32]) -> Cache {
        let mut inner = self.lock();
        let Some(Idle { mut cache, .. }) = inner.idle.remove(&session) else { return Cache::default() };
        inner.idle_blocks -= cache.blocks.len();
        drop(inner);
        let common = cache.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        cache.truncate(common);
        cache
    }

    /// Keeps the cache of a session for its next request.
    pub(crate) fn keep(&self, session: u64, cache: Cache) {
        let mut inner = self.lock();
        inner.clock += 1;
        inner.idle_blocks += cache.blocks.len();
        let idle = Idle { cache, since: inner.clock };
        if let Some(old) = inner.idle.insert(session, idle) {
            inner.idle_blocks -= old.cache.blocks.len();
        }
        while inner.idle_blocks * self.shape.bytes() > IDLE_BYTES {
            let oldest = inner.idle.iter().min_by_key(|(_, idle)| idle.since).map(|(&session, _)| session);
            let Some(idle) = oldest.and_then(|session| inner.idle.remove(&session)) else { break };
            inner.idle_blocks -= idle.cache.blocks.len();
        }
    }

    /// Appends shared blocks that go on as `ids` do, up to `length` ids; the first one takes the place of a block that is not full.
    pub(crate) fn extend(&self, cache: &mut Cache, ids: &[u32], length: usize) {
        let inner = self.lock();
        loop {
            let begin = cache.ids.len() / TOKENS * TOKENS;
            let Some(next) = ids[..length].get(begin..begin + TOKENS) else { break };
            let found = inner.shared.get(&key_after(cache.last_key(), next)).and_then(Weak::upgrade);
            let Some(block) = found.filter(|block| block.has(next)) else { break };
            cache.blocks.truncate(begin / TOKENS);
            cache.blocks.push(block);
            cache.ids.truncate(begin);
            cache.ids.extend(next);
        }
    }

    /// Appends ids whose keys and values the cache has, and shares the blocks that are full now.
    pub(crate) fn append(&self, cache: &mut Cache, ids: &[u32]) {
        for block in cache.extend(ids) {
            self.share(&mut cache.blocks[block]);
        }
    }

    /// Offers a full block to other sequences; where there is one with the same ids already, the cache takes that instead.
    fn share(&self, block: &mut Arc<Block>) {
        let mut inner = self.lock();
        match inner.shared.get(&block.key()).and_then(Weak::upgrade) {
            Some(same) => *block = same,
            None => {
                inner.shared.insert(block.key(), Arc::downgrade(block));
            }
        }
        if inner.shared.len() > inner.sweep_at {
            inner.shared.retain(|_, block| block.strong_count() > 0);
            inner.sweep_at = 2 * inner.shared.len() + 1024;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds the caches")
    }
}
