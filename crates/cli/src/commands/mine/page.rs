//! The funnel as a page that stands alone: no scripts, nothing from elsewhere.

use std::fmt::Write as _;

use basis_gym::factory::{Stage, Yield};
use basis_gym::sources::Opened;

/// Notes beyond these say nothing new.
const MOST_NOTES: usize = 200;

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; }
td.number, th.number { text-align: right; } tr { border-bottom: 1px solid #ddd; }
.bar { background: #ddd; width: 10rem; height: .7rem; display: inline-block; } .bar span { background: #2a7; height: 100%; display: block; }
code { font-size: .9em; } ul { padding-left: 1.2rem; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } tr { border-color: #444; } .bar { background: #444; } }
";

/// The page of one run.
pub(super) fn page(opened: &Opened, made: &Yield) -> String {
    let project = &opened.project;
    let title = format!("{} {}", project.name, project.version);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Mined: {0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Mined: {0}</h1>\n",
        escaped(title.trim())
    );
    let origin = &project.origin;
    let licence = if origin.licence.is_empty() { "no licence stated" } else { &origin.licence };
    let _ = writeln!(
        page,
        "<p>From <code>{}</code> ({}); {}; {} files, {} of them with tests. {} tasks.</p>",
        escaped(&origin.locator),
        escaped(&origin.source),
        escaped(licence),
        project.tree.len(),
        project.tests.files.len(),
        made.tasks.len()
    );
    page += &funnel(made);
    let failed: Vec<String> = made
        .evidence
        .iter()
        .filter(|row| !row.passed && !row.reason.is_empty())
        .map(|row| format!("{}: {}", row.skill, row.reason))
        .collect();
    page += &list("Tasks that failed their gates", &failed);
    page += &list("Commits that came to nothing", &made.notes);
    let left_out: Vec<String> = opened.left_out.iter().map(|it| format!("{} {}", it.path, it.reason)).collect();
    page += &list("Files that were left out", &left_out);
    page + "</body>\n</html>\n"
}

/// One row for each stage, with the share that it let through.
fn funnel(made: &Yield) -> String {
    let mut text = "<h2>Funnel</h2>\n<table>\n<tr><th></th><th class=\"number\">made</th><th class=\"number\">of</th><th></th><th>held back</th></tr>\n".to_owned();
    for (stage, passage) in &made.funnel.0 {
        let share = 100 * passage.made / passage.seen().max(1);
        let mut reasons: Vec<(&String, &usize)> = passage.rejected.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reasons: Vec<String> = reasons.iter().map(|(code, count)| format!("{count} {}", escaped(code))).collect();
        let name = match stage {
            Stage::Skill(name) => format!("tasks of <code>{}</code>", escaped(name)),
            stage => escaped(&stage.to_string()),
        };
        let _ = writeln!(
            text,
            "<tr><td>{name}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td><span class=\"bar\"><span style=\"width: {share}%\"></span></span></td><td>{}</td></tr>",
            passage.made,
            passage.seen(),
            reasons.join(", ")
        );
    }
    text + "</table>\n"
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rows: String = lines.iter().take(MOST_NOTES).map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    let more = lines.len().saturating_sub(MOST_NOTES);
    let rest = if more > 0 { format!("<p>and {more} more</p>\n") } else { String::new() };
    format!("<h2>{title}</h2>\n<ul>\n{rows}</ul>\n{rest}")
}

/// Text of a repository may say anything.
fn escaped(text: &str) -> String {
    let plain = crate::text::sanitized(text);
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repository_says_is_no_markup() {
        let text = list("Notes", &["<script>alert(\"&\")</script>".to_owned()]);
        assert_eq!(
            text,
            "<h2>Notes</h2>\n<ul>\n<li>&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;</li>\n</ul>\n"
        );
        assert_eq!(list("Nothing", &[]), "");
    }

    #[test]
    fn every_stage_has_its_share_and_its_reasons() {
        let mut made = Yield::default();
        made.funnel.count(Stage::Mutation, Ok(()));
        (0..3).for_each(|_| made.funnel.count(Stage::Mutation, Err("survived")));
        let text = funnel(&made);
        assert!(
            text.contains("bug records by mutation") && text.contains("width: 25%") && text.contains("3 survived"),
            "{text}"
        );
    }
}
