//! What the model is asked for.

use crate::issue::Issue;
use crate::record::BugRecord;

const SYSTEM: &str = "You write texts for software developers. Answer with the text alone: no heading, no greeting, no remark about the text.";

/// A report, as a user would write it who does not know the code.
pub(super) fn issue(issue: &Issue, record: &BugRecord) -> Vec<(&'static str, String)> {
    let project = &record.project;
    let asked = format!(
        "Below is a bug report for the project `{project}`. Write it again, as somebody who uses the project and does not know its source would: what they did, what they expected, what happened instead. \
Keep every piece of code and every value exactly as it stands, in backticks or in a block. Show no other code. \
Do not guess the cause or the fix, name no file, module or test, and add nothing that the report does not say. At most 120 words.\n\n{}",
        issue.text
    );
    vec![("system", SYSTEM.to_owned()), ("user", asked)]
}

/// An instruction to change code.
pub(super) fn instruction(sentence: &str) -> Vec<(&'static str, String)> {
    let asked = format!(
        "Below is an instruction to change code. Write it again in one or two sentences, as a colleague would ask for it. \
Keep every piece in backticks exactly as it stands, and say exactly the same: nothing vaguer, nothing more.\n\n{sentence}"
    );
    vec![("system", SYSTEM.to_owned()), ("user", asked)]
}

/// Wrong versions of a function, one block of code each.
pub(super) fn mistakes(function: &str, count: usize) -> Vec<(&'static str, String)> {
    let asked = format!(
        "Below is a function. Write {count} versions of it, each with one mistake that a careful developer could make and a reviewer could miss: a case that is left out, \
a wrong bound, a wrong order, state that is shared. Simple examples should still give what they give now. Each version is a block of code of its own and the whole function, with the same \
name, parameters, comments and documentation; do not mark the mistake. No text between the blocks.\n\n```\n{function}\n```"
    );
    vec![("system", SYSTEM.to_owned()), ("user", asked)]
}

/// The same once more.
pub(super) fn again(text: String, reason: &str) -> [(&'static str, String); 2] {
    [("assistant", text), ("user", format!("That cannot be used: {reason}. Write it again."))]
}
