//! What only the host and the runner of tests know about one run.

use std::io::Read;

use basis_sandbox::SandboxError;

/// What only the host and the runner know about one run.
pub(super) struct Secrets {
    pub(super) nonce: String,
    /// Names of the canary that passes and of the one that fails.
    pub(super) canaries: [String; 2],
}

impl Secrets {
    pub(super) fn draw() -> Result<Self, SandboxError> {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|error| SandboxError::system("read `/dev/urandom`", error))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { nonce: text[..32].to_owned(), canaries: [text[32..48].to_owned(), text[48..].to_owned()] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_other_secrets() {
        let draw = || Secrets::draw().expect("this machine has random numbers");
        assert_ne!(draw().nonce, draw().nonce);
    }
}
