//! What runs inside pods: shell text, and the quoting of what is put into it.

use std::io::Read;

/// PID 1 of the container `agent`.
pub(super) const AGENT: &str = include_str!("scripts/agent.sh");
/// Runs a script where commands cannot look into it.
pub(super) const CLOSED: &str = include_str!("scripts/closed.sh");
/// PID 1 of the container `keeper`.
pub(super) const KEEPER: &str = include_str!("scripts/keeper.sh");
/// Ends the container `agent`.
pub(super) const STOP: &str = include_str!("scripts/stop.sh");
/// Ends the pod when the controller is gone.
pub(super) const LEASE: &str = include_str!("scripts/lease.sh");
/// Unpacks what a sandbox is made of.
pub(super) const UNPACK: &str = include_str!("scripts/unpack.sh");
/// Runs one command.
pub(super) const COMMAND: &str = include_str!("scripts/command.sh");
/// Ends one command.
pub(super) const END: &str = include_str!("scripts/end.sh");
/// Passes on the report of a command.
pub(super) const REPORT: &str = include_str!("scripts/report.sh");
/// Reads or writes one file.
pub(super) const FILE: &str = include_str!("scripts/file.sh");
/// Lists the working directory.
pub(super) const LIST: &str = include_str!("scripts/list.sh");
/// Packs some files of the working directory.
pub(super) const CONTENTS: &str = include_str!("scripts/contents.sh");

/// Tries whether there is a network.
pub(super) const PROBE: &str = include_str!("scripts/probe.sh");

/// The argv of a shell that takes its script, `length` bytes, from standard input; what follows is left there. A script
/// may thus be longer than an address of the API. `mark` is there to be found in the list of processes.
pub(super) fn shell_from_input(length: usize, mark: &str) -> Vec<String> {
    let start = r#"script=$(head -c "$1"; echo .); eval "${script%.}""#;
    ["sh", "-c", start, mark, &length.to_string()].map(str::to_owned).into()
}

/// The same program with nothing of the container's environment but the places of programs: commands can read what processes of their
/// user were started with, and a cluster puts the address of its API server there.
pub(super) fn without_environment(argv: impl IntoIterator<Item = String>) -> Vec<String> {
    let clear = ["sh", "-c", r#"exec env -i PATH="$PATH" "$@""#, "sh"].map(str::to_owned);
    clear.into_iter().chain(argv).collect()
}

/// `script` with `words` as its arguments.
pub(super) fn with_words<'a>(words: impl IntoIterator<Item = &'a str>, script: &str) -> String {
    let words: Vec<String> = words.into_iter().map(quote).collect();
    format!("set -- {}\n{script}", words.join(" "))
}

/// `text` as one word of the shell.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Sixteen random bytes as text.
pub(super) fn token() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_comes_back_as_it_was() {
        let hostile = "a'b\"c $(id) `id` \\ \n'' ü";
        let echo = format!("printf %s {}", quote(hostile));
        let output = std::process::Command::new("sh").args(["-c", &echo]).output().expect("ran");
        assert_eq!(String::from_utf8(output.stdout).expect("text"), hostile);
    }
}
