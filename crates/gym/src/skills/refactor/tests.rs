//! Golden cases of every kind of refactoring: the work, half of it, and ways to hide that it was not done.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Operation;
use super::extract::Extract;
use super::relocate::Move;
use super::rename::Rename;
use crate::grade::Workshop;
use crate::languages::is_source;
use crate::record::BugRecord;
use crate::skills::tests::{Case, check_on};
use crate::skills::{Build, Rejection};
use crate::testkit;
use crate::tree::Tree;

/// A refactoring that was done, to be handed in as it is or changed.
struct Done {
    tree: Tree,
    done: Tree,
    made: (String, String),
    prompt: String,
}

impl Done {
    /// All sources as they are afterwards, each changed by its path and text.
    fn case(&self, edit: &dyn Fn(&str, String) -> String, reward: f64, code: &'static str) -> Case {
        let sources = self.done.paths().filter(|path| is_source(path));
        let changed = |path| (path, edit(path, self.done.text(path).expect("text").to_owned()));
        let files = sources.map(changed).filter(|(path, text)| self.tree.text(path) != Some(text.as_str()));
        Case::files(files.collect(), reward, code)
    }

    /// The same with something behind one file.
    fn behind(&self, path: &str, text: &str, reward: f64, code: &'static str) -> Case {
        let edit = |own: &str, whole: String| if own == path { format!("{whole}\n\n{text}\n") } else { whole };
        self.case(&edit, reward, code)
    }
}

/// Builds the task, passes it through the gates, and grades each case.
fn check(
    record: impl Fn(&Workshop) -> BugRecord,
    choose: impl Fn(&BugRecord, &mut ChaCha8Rng) -> Result<Operation, Rejection>,
    cases: impl Fn(&Done) -> Vec<Case>,
) {
    let (_directory, workshop) = testkit::workshop();
    let record = record(&workshop);
    let operation = choose(&record, &mut ChaCha8Rng::seed_from_u64(7)).expect("it can be done mechanically");
    let done = operation.perform(&record.fixed, &record.tests.import_roots);
    let (path, name) = operation.made();
    let made = (path.to_owned(), name.to_owned());
    let build = Build { workshop: &workshop, max_turns: 8, max_variants: 16 };
    let task = super::task(&build, &record, operation).expect("the record makes a task");
    let done = Done { tree: record.fixed.clone(), done, made, prompt: task.prompt.clone() };
    check_on("refactor", &workshop, &[task], &cases(&done));
}

#[test]
fn a_function_gets_another_name_and_leaves_nothing_behind() {
    let path = "pkg/limits.py";
    check(
        testkit::record,
        |record, rng| Rename::choose(record, rng).map(Operation::Rename),
        |done| {
            let (old, new) = ("cap_value", done.made.1.as_str());
            let only_here = |own: &str, whole: String| {
                if own == path { whole } else { done.tree.text(own).expect("it was there").to_owned() }
            };
            let wrong =
                |own: &str, whole: String| if own == path { whole.replace("return low", "return high") } else { whole };
            vec![
                done.case(&|_, text| text, 1.0, "ok"),
                done.case(&only_here, 0.0, "structure"),
                done.behind(path, &format!("{old} = {new}"), 0.0, "structure"),
                done.behind(path, &format!("def {old}(*args):\n    return {new}(*args)"), 0.0, "structure"),
                done.behind(path, &format!("globals()['cap_' 'value'] = {new}"), 0.0, "structure"),
                done.behind(path, &format!("def __getattr__(name):\n    return {new}"), 0.0, "structure"),
                done.behind(path, &format!("def further(*args):\n    return {new}(*args)"), 0.0, "structure"),
                done.case(&wrong, 0.0, "f2p_failed|p2p_failed"),
                Case::answer("Done.", 0.0, "policy_stripped_empty"),
            ]
        },
    );
}

#[test]
fn a_function_gets_another_module_and_is_taken_from_there() {
    check(
        testkit::record,
        |record, rng| Move::choose(record, rng).map(Operation::Move),
        |done| {
            let (to, module) = (done.made.0.as_str(), done.made.0.trim_end_matches(".py").replace('/', "."));
            assert!(done.prompt.contains("Move the function `cap_value` of `pkg/limits.py`"), "{}", done.prompt);
            let old = done.tree.text("pkg/limits.py").expect("it was there");
            let stays = |own: &str, whole: String| if own == "pkg/limits.py" { old.to_owned() } else { whole };
            let forwards = |own: &str, whole: String| match own {
                "pkg/limits.py" => old.to_owned(),
                own if own == to => "from pkg.limits import cap_value\n".to_owned(),
                _ => whole,
            };
            let wraps = |own: &str, whole: String| {
                match own {
            "pkg/limits.py" => old.replace("cap_value", "kept_value"),
            own if own == to => "from pkg import limits\n\n\ndef cap_value(value, low, high):\n    return limits.kept_value(value, low, high)\n".to_owned(),
            _ => whole,
        }
            };
            let half = |own: &str, whole: String| match own {
                "pkg/report.py" => whole.replace(&format!("from {module} import"), "from pkg.limits import"),
                "pkg/limits.py" => format!("from {module} import cap_value\n"),
                _ => whole,
            };
            vec![
                done.case(&|_, text| text, 1.0, "ok"),
                done.case(&stays, 0.0, "structure"),
                done.case(&forwards, 0.0, "structure"),
                done.case(&wraps, 0.0, "structure"),
                done.case(&half, 0.0, "structure"),
                done.behind("pkg/limits.py", &format!("from {module} import cap_value"), 0.0, "structure"),
                Case::answer("Done.", 0.0, "policy_stripped_empty"),
            ]
        },
    );
}

#[test]
fn a_part_becomes_a_function_that_does_its_work() {
    let path = "pkg/report.py";
    let record = |workshop: &Workshop| testkit::record_of(workshop, path, |text| text.contains("total - "));
    check(
        record,
        |record, rng| Extract::choose(record, rng).map(Operation::Extract),
        |done| {
            let helper = done.made.1.as_str();
            let (old, new) = (done.tree.text(path).expect("it was there"), done.done.text(path).expect("it is there"));
            let definition =
                &new[new.find("def _").expect("a helper")..new.find("def total_capped").expect("the rest")];
            let with = |text: String| move |own: &str, whole: String| if own == path { text.clone() } else { whole };
            let dead = old.replace("def total_capped", &format!("{definition}def total_capped"));
            let ignored = dead.replace("    total = 1\n", &format!("    {helper}(values, high)\n    total = 1\n"));
            let forwards = new.replace("    total = 1\n", "    total = 0 + 1\n");
            let shorter = old.replace("def total_capped", &format!("{definition}def total_capped")).replace(
            "    total = 1\n    for value in values:\n        total = total + cap_value(value, 0, high)\n    return total",
            &format!("    {helper}(values, high)\n    return sum((cap_value(it, 0, high) for it in values), 1)"),
        );
            vec![
                done.case(&|_, text| text, 1.0, "ok"),
                done.case(&with(forwards), 1.0, "ok"),
                done.case(&with(dead.clone()), 0.0, "structure"),
                done.case(&with(ignored), 0.0, "structure"),
                done.case(&with(shorter), 0.0, "structure|unused"),
                done.case(&with(new.replace(helper, "_another_name")), 0.0, "structure"),
                done.behind(path, "def further(values):\n    return values", 0.0, "structure"),
                done.case(&with(new.replace("total = 1", "total = 2")), 0.0, "p2p_failed"),
                Case::answer("Done.", 0.0, "policy_stripped_empty"),
            ]
        },
    );
}
