# `just` lists the recipes; each is one ordinary command, so `just` itself is optional.

_default:
    @just --list

# Formatting and lints, as CI wants them.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests.
test:
    cargo test --workspace

# Accept changed texts after reading them in the diff.
snapshots:
    INSTA_UPDATE=always cargo test --workspace

# Rules about the source: tree in the README, imports, who may print.
tidy:
    cargo test -p basis-gym --test tidy

# Licences, advisories, banned dependencies (needs cargo-deny).
deny:
    cargo deny check

# What CI runs.
ci:
    .ci/run

# The optimised program at target/release/basis.
release:
    cargo build --release
