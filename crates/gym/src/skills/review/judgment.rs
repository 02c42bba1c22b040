//! The judgment's grammar: exactly one `<judgment>` that says YES or NO, after a review that names the changed file.

use serde::{Deserialize, Serialize};

/// Whether a change is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Judgment {
    Yes,
    No,
}

/// Reads the judgment, or gives code and detail of what is wrong with it.
pub(super) fn parse(answer: &str, path: &str) -> Result<Judgment, (&'static str, String)> {
    let tokens: Vec<&str> =
        answer.split("<judgment>").skip(1).filter_map(|rest| rest.split("</judgment>").next()).map(str::trim).collect();
    let judgment = match tokens[..] {
        [] => return Err(("bad_format", "no <judgment>".into())),
        ["YES"] => Judgment::Yes,
        ["NO"] => Judgment::No,
        [other] => {
            return Err((
                "bad_format",
                format!("judgment `{}`, expected YES or NO", other.chars().take(20).collect::<String>()),
            ));
        }
        _ => return Err(("ambiguous", format!("{} judgments", tokens.len()))),
    };
    let review = answer.split("<judgment>").next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or(path);
    if review.contains(name) {
        Ok(judgment)
    } else {
        Err(("empty_review", format!("the review does not name `{name}`")))
    }
}

/// A review of one sentence.
pub(super) fn write(path: &str, judgment: Judgment) -> String {
    let (sentence, token) = match judgment {
        Judgment::Yes => ("is right", "YES"),
        Judgment::No => ("is wrong", "NO"),
    };
    format!("`{path}` {sentence}. <judgment>{token}</judgment>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_judgment_after_a_review_that_names_the_file_is_read() {
        for judgment in [Judgment::Yes, Judgment::No] {
            assert_eq!(parse(&write("pkg/a.py", judgment), "pkg/a.py"), Ok(judgment));
        }
        assert_eq!(parse("In a.py the bound is off.\n<judgment> NO </judgment>", "pkg/a.py"), Ok(Judgment::No));
    }

    #[test]
    fn two_judgments_none_another_word_or_no_review_are_refused() {
        let code = |answer: &str| parse(answer, "pkg/a.py").unwrap_err().0;
        assert_eq!(code("a.py <judgment>YES</judgment><judgment>NO</judgment>"), "ambiguous");
        assert_eq!(code("a.py is fine. YES"), "bad_format");
        assert_eq!(code("a.py <judgment>MAYBE</judgment>"), "bad_format");
        assert_eq!(code("<judgment>YES</judgment>"), "empty_review");
    }
}
