//! The body of an episode as it lies in the database: JSON, compressed with zstd.

use crate::episode::Episode;

const LEVEL: i32 = 3;

/// Packs an episode, or says why it cannot be kept.
pub(super) fn pack(episode: &Episode) -> Result<Vec<u8>, String> {
    // JSON has no infinities: they would be written as `null` and could not be read back.
    if episode.reward().is_some_and(|reward| !reward.is_finite()) {
        return Err("its reward is not finite".to_owned());
    }
    if episode.sequences().any(|sequence| sequence.trace.logprobs.iter().any(|logprob| !logprob.is_finite())) {
        return Err("a log-probability is not finite".to_owned());
    }
    let json = serde_json::to_vec(episode).map_err(|error| error.to_string())?;
    zstd::encode_all(json.as_slice(), LEVEL).map_err(|error| error.to_string())
}

/// The inverse of [`pack`].
pub(super) fn unpack(body: &[u8]) -> Result<Episode, String> {
    let json = zstd::decode_all(body).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}
