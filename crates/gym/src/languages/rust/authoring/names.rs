//! What a file outside of a crate begins with, so that it can use the names that a test file of the crate has.

use super::super::documentation;
use super::super::manifest::Manifest;
use super::super::syntax;
use crate::project::TestSetup;
use crate::record::TestId;
use crate::tree::Tree;

/// How a crate names itself.
const INSIDE: &str = concat!("crate", "::");

/// The items of a test file without its tests. Those of a test module inside of a source file are turned outside: what they reach through
/// `super` and `crate`, they reach through the name of the crate, as far as it is public. Where only examples of documentation are tests, it is what
/// they import.
pub(super) fn from_outside(tree: &Tree, tests: &TestSetup, from: &str) -> Option<String> {
    let source = tree.text(from)?;
    let ids: Vec<TestId> = syntax::tests(source).iter().map(|test| format!("{from}::{}", test.path)).collect();
    if from.starts_with("tests/") {
        return Some(syntax::remove_tests(source, &ids).trim_end().to_owned());
    }
    let manifest = Manifest::read(tests.requirements.first()?).ok()?;
    let root = manifest.crate_root();
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside = from.strip_prefix(folder)?.trim_start_matches('/').strip_suffix(".rs")?;
    let modules = match from == root {
        true => String::new(),
        false => format!("::{}", inside.trim_end_matches("/mod").replace('/', "::")),
    };
    let named = |names: &str| format!("{}{names}", manifest.extern_crate());
    let Some(first) = ids.first() else {
        let names = documentation::names(source);
        return (!names.is_empty()).then(|| named(&names.join("\n")));
    };
    let module = first.strip_prefix(from)?.strip_prefix("::")?.rsplit_once("::")?.0;
    // Deeper modules would reach further.
    if module.contains("::") {
        return None;
    }
    let without = syntax::remove_tests(source, &ids);
    let body = syntax::module_body(&without, module)?;
    let own = manifest.crate_name();
    let outside = body.replace("super::", &format!("{own}{modules}::")).replace(INSIDE, &format!("{own}::"));
    let lines: Vec<&str> = outside.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    Some(named(lines.join("\n").trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    fn names(path: &str, text: &str, from: &str) -> Option<String> {
        let mut project = testkit::rust_project();
        project.tree.insert(path, text);
        from_outside(&project.tree, &project.tests, from)
    }

    #[test]
    fn names_of_a_test_file_are_its_items_without_tests() {
        let text = "use caps::total_capped;\n\nconst A: i64 = 1;\n\n#[test]\nfn a() {}\n";
        assert_eq!(
            names("tests/api.rs", text, "tests/api.rs").as_deref(),
            Some("use caps::total_capped;\n\nconst A: i64 = 1;")
        );
    }

    #[test]
    fn a_test_module_reaches_its_crate_from_outside() {
        let text = "mod tests {\n    use super::*;\n    use crate::cap_value;\n\n    #[test]\n    fn a() {}\n}\n";
        let found = names("src/report.rs", text, "src/report.rs");
        assert_eq!(
            found.as_deref(),
            Some("use caps::report::*;\n    use caps::cap_value;".replace("\n    ", "\n").as_str())
        );
        assert_eq!(names("src/lib.rs", text, "src/lib.rs").expect("it has some").lines().next(), Some("use caps::*;"));
        let mut project = testkit::rust_project();
        project.tree.insert("src/lib.rs", text);
        project.tests.requirements[0] = "[package]\nname = \"caps\"\n".to_owned();
        let first_edition = from_outside(&project.tree, &project.tests, "src/lib.rs").expect("it has some");
        assert!(first_edition.starts_with("extern crate caps;\nuse caps::*;"), "{first_edition}");
    }
}
