//! Golden cases: the work, half of it, and ways to hide that it was not done.

use crate::skills::tests::{Case, check, tasks};

#[test]
fn a_function_gets_another_name_and_leaves_nothing_behind() {
    let (_directory, workshop, tasks) = tasks("refactor");
    let hidden: super::Hidden = crate::draft::hidden(&tasks[0]).expect("a hidden part");
    let tree = workshop.blobs.tree(&tasks[0].context.tree).expect("stored");
    let (path, old, new) = (hidden.operation.path.as_str(), hidden.operation.old.as_str(), &hidden.operation.new);
    let done = hidden.operation.perform(&tree);
    let case = |edit: &dyn Fn(&str, String) -> String, reward, code| {
        let sources = done.paths().filter(|path| crate::languages::is_source(path));
        let files = sources.map(|path| (path, edit(path, done.text(path).expect("text").to_owned()))).collect();
        Case::files(files, reward, code)
    };
    let behind = |text: &'static str| {
        let text = text.replace("OLD", old).replace("NEW", new);
        move |own: &str, whole: String| if own == path { format!("{whole}\n\n{text}\n") } else { whole }
    };
    let only_here = |own: &str, whole: String| {
        if own == path { whole } else { tree.text(own).expect("it was there").to_owned() }
    };
    let wrong = |own: &str, whole: String| if own == path { whole.replace("return low", "return high") } else { whole };
    check(
        "refactor",
        &[
            case(&|_, text| text, 1.0, "ok"),
            case(&only_here, 0.0, "structure"),
            case(&behind("OLD = NEW"), 0.0, "structure"),
            case(&behind("def OLD(*args):\n    return NEW(*args)"), 0.0, "structure"),
            case(&behind("globals()['O' 'LD'] = NEW"), 0.0, "structure"),
            case(&behind("def __getattr__(name):\n    return NEW"), 0.0, "structure"),
            case(&behind("def further(*args):\n    return NEW(*args)"), 0.0, "structure"),
            case(&wrong, 0.0, "f2p_failed|p2p_failed"),
            Case::answer("Done.", 0.0, "policy_stripped_empty"),
        ],
    );
}
