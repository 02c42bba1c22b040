//! Behaviour-preserving rewrites of a Python function. A test or script that reads source text instead of running it
//! tells a rewrite from the original; one that runs it does not.

use std::fmt::Write as _;

use super::rename::renamed;

/// Rewrites of `source` that keep the behaviour of its top-level function `function`; empty when it is not found.
pub(super) fn rewrites(source: &str, function: &str) -> Vec<String> {
    let rewrites = [behind_helper(source, function), renamed(source, function), shifted(source, function)];
    rewrites.into_iter().flatten().collect()
}

/// Moves the body into a private helper that the public name forwards to.
fn behind_helper(source: &str, function: &str) -> Option<String> {
    let start = definition(source, function)?;
    let name_at = start + "def ".len();
    let mut out = format!("{}_{function}_body{}", &source[..name_at], &source[name_at + function.len()..]);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    // Calls by name inside the module, also recursive ones, find the new definition below.
    let _ = write!(
        out,
        "\n\ndef {function}(*args, **kwargs):\n    return _{function}_body(*args, **kwargs)\n\n\n{function}.__doc__ = _{function}_body.__doc__\n"
    );
    Some(out)
}

/// Puts dead code in front of the body's first statement line and a comment above the function: other lines, other bytecode.
fn shifted(source: &str, function: &str) -> Option<String> {
    let start = definition(source, function)?;
    let comment = "# Moved down by two lines.\n# The behaviour is the same.\n";
    let mut out = format!("{}{comment}{}", &source[..start], &source[start..]);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    let _ = write!(out, "\n\n_{function}_marker = tuple(range(3))\n");
    Some(out)
}

fn definition(source: &str, function: &str) -> Option<usize> {
    let header = format!("def {function}(");
    if source.starts_with(&header) { Some(0) } else { source.find(&format!("\n{header}")).map(|at| at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_behave_the_same_and_read_differently() {
        let source = "def half(n):\n    \"\"\"Half of n.\"\"\"\n    if n < 0:\n        return -half(-n)\n    result = n // 2\n    return result\n";
        let all = rewrites(source, "half");
        assert_eq!(all.len(), 3);
        for rewritten in &all {
            assert_ne!(rewritten, source);
            let check = format!(
                "{rewritten}\nassert [half(n) for n in (-5, 0, 7)] == [-2, 0, 3]\nassert half.__doc__ == 'Half of n.'\n"
            );
            let status = std::process::Command::new("python3").arg("-c").arg(&check).status().unwrap();
            assert!(status.success(), "{rewritten}");
        }
        assert!(rewrites(source, "missing").is_empty());
    }
}
