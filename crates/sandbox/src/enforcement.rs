//! How limits are kept.

/// How one limit is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Enforcement {
    /// The limit: `wall`, `memory`, `processes`, `cpu`, `output`, `disk`, `files`, `network`.
    pub limit: &'static str,
    /// Whether the kernel keeps it exactly, something watches it, or nothing does.
    pub strength: Strength,
    /// The mechanism, in words.
    pub how: String,
}

/// How strongly a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// By the kernel or by the harness, exactly.
    Enforced,
    /// Per process or by sampling; a short excess is possible.
    Watched,
    /// Not at all on this machine.
    Absent,
}
