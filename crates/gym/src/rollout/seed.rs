//! Seeds of episodes.

/// The seed of one episode, from the run's seed and the episode's place in the run.
///
/// The same place gives the same seed, whatever ran before it or beside it.
pub fn seed(run: u64, iteration: u64, task: &str, sample: u32) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&run.to_le_bytes());
    hasher.update(&iteration.to_le_bytes());
    hasher.update(&sample.to_le_bytes());
    hasher.update(task.as_bytes());
    let bytes = hasher.finalize();
    let first = bytes.as_bytes()[..8].try_into().expect("a hash has 32 bytes");
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_the_seed() {
        let base = seed(1, 2, "task", 3);
        assert_eq!(base, seed(1, 2, "task", 3));
        for other in [seed(0, 2, "task", 3), seed(1, 0, "task", 3), seed(1, 2, "other", 3), seed(1, 2, "task", 0)] {
            assert_ne!(base, other);
        }
    }
}
