//! What a file outside of a crate begins with, so that it can use the names that a test file of the crate has.

use tree_sitter::Node;

use super::super::documentation;
use super::super::imports::{Import, imports};
use super::super::manifest::Manifest;
use super::super::syntax;
use crate::project::TestSetup;
use crate::record::TestId;
use crate::tree::Tree;

/// How a crate names itself.
const INSIDE: &str = concat!("crate", "::");

/// The items of a test file without its tests. Those of a test module inside of a source file are turned outside: what they reach through
/// `super` and `crate`, they reach through the name of the crate, as far as it is public; what a private module gives away through the
/// root, by the name that it has there. Where only examples of documentation are tests, it is what they import.
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
    let body = match exports(tree.text(&root).unwrap_or_default(), modules.trim_start_matches(':')) {
        Some(exports) => through_the_root(body, &exports).replace("super::", &format!("{own}::")),
        None => body.replace("super::", &format!("{own}{modules}::")),
    };
    let outside = body.replace(INSIDE, &format!("{own}::"));
    let lines: Vec<&str> = outside.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    Some(named(lines.join("\n").trim()))
}

/// What the root of a crate gives away of a private module of its own: the path inside of the module, and the name outside. `None` if everybody
/// can name the module.
fn exports(root: &str, module: &str) -> Option<Vec<Import>> {
    let tree = syntax::parse(root);
    let items: Vec<Node> = tree.root_node().children(&mut tree.root_node().walk()).collect();
    let is_public = |item: &Node| item.named_child(0).is_some_and(|first| &root[first.byte_range()] == "pub");
    let is_it = |item: &&Node| item.kind() == "mod_item" && syntax::name(**item, root) == Some(module);
    items.iter().find(is_it).filter(|item| !is_public(item))?;
    let of_module = |import: Import| {
        let path = import.path.trim_start_matches("self::").trim_start_matches(INSIDE);
        let inside = path.strip_prefix(module)?;
        let path = inside.strip_prefix("::").or(inside.is_empty().then_some(""))?;
        Some(Import { path: path.to_owned(), ..import })
    };
    let given = items.iter().filter(|item| item.kind() == "use_declaration" && is_public(item));
    Some(given.flat_map(|item| imports(*item, root)).filter_map(of_module).collect())
}

/// The items of a test module whose imports from its parent go through the root of the crate.
fn through_the_root(body: &str, exports: &[Import]) -> String {
    let tree = syntax::parse(body);
    let root = tree.root_node();
    let mut outside = body.to_owned();
    let declarations: Vec<Node> = root.children(&mut root.walk()).filter(|it| it.kind() == "use_declaration").collect();
    for declaration in declarations.into_iter().rev() {
        let found = imports(declaration, body).into_iter().flat_map(|import| resolved(import, exports));
        let lines: Vec<String> = found.map(|import| import.line()).collect();
        outside.replace_range(declaration.byte_range(), &lines.join("\n"));
    }
    outside
}

/// What becomes of one import: nothing, if the root does not give it away.
fn resolved(import: Import, exports: &[Import]) -> Vec<Import> {
    let Some(inside) = import.path.strip_prefix("super").map(|rest| rest.trim_start_matches("::")) else {
        return vec![import];
    };
    if exports.iter().any(|export| export.name == "*") {
        return vec![import];
    }
    let all = inside.is_empty();
    let given = exports.iter().filter(|export| all || export.path == inside).map(|export| Import {
        path: format!("super::{}", export.name),
        name: if all { export.path.clone() } else { import.name.clone() },
    });
    given.collect()
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
        assert_eq!(found.as_deref(), Some("use caps::total_capped;\nuse caps::cap_value;"));
        assert_eq!(names("src/lib.rs", text, "src/lib.rs").expect("it has some").lines().next(), Some("use caps::*;"));
        let mut project = testkit::rust_project();
        project.tree.insert("src/lib.rs", text);
        project.tests.requirements[0] = "[package]\nname = \"caps\"\n".to_owned();
        let first_edition = from_outside(&project.tree, &project.tests, "src/lib.rs").expect("it has some");
        assert!(first_edition.starts_with("extern crate caps;\nuse caps::*;"), "{first_edition}");
    }

    #[test]
    fn a_private_module_is_reached_through_the_root_of_the_crate() {
        let root = "mod report;\npub use self::report::{cap, Error as CapError};\npub use report::Report;\nuse report::hidden;\n";
        let found = |uses: &str| {
            let mut project = testkit::rust_project();
            project.tree.insert("src/lib.rs", root);
            project
                .tree
                .insert("src/report.rs", format!("mod tests {{\n    {uses}\n    #[test]\n    fn a() {{}}\n}}\n"));
            from_outside(&project.tree, &project.tests, "src/report.rs").expect("it has some")
        };
        assert_eq!(
            found("use super::{cap, Error, hidden};\n    use std::fmt;"),
            "use caps::cap;\nuse caps::CapError as Error;\nuse std::fmt;"
        );
        assert_eq!(found("use super::*;"), "use caps::cap;\nuse caps::CapError as Error;\nuse caps::Report;");
    }

    #[test]
    fn a_root_that_gives_all_of_a_module_away_has_its_names() {
        let mut project = testkit::rust_project();
        project.tree.insert("src/lib.rs", "mod report;\npub use report::*;\n");
        project.tree.insert("src/report.rs", "mod tests {\n    use super::cap;\n    #[test]\n    fn a() {}\n}\n");
        assert_eq!(from_outside(&project.tree, &project.tests, "src/report.rs").as_deref(), Some("use caps::cap;"));
    }
}
