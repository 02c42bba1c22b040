//! What a file somewhere else begins with, so that it can use the names that a test file has.

use super::super::subject::names_only;
use super::super::syntax::{parse, text_of};
use crate::languages::WORKDIR;

/// The declarations of a test file, with imports that lead to the same files from another place. A module that is no test file takes what the
/// test requires as that file does.
pub(super) fn elsewhere(source: &str, from: &str, to: &str) -> String {
    let names = names_only(source);
    if folder(from) == folder(to) {
        return names.trim_end().to_owned();
    }
    let mut text = names.clone();
    for range in sources(&names).into_iter().rev() {
        if names[range.clone()].starts_with('.') {
            let place = rebased(folder(from), folder(to), &names[range.clone()]);
            text.replace_range(range, &place);
        }
    }
    let requires = text.contains("require(") && to.ends_with(".mjs");
    let head = format!(
        "import {{ createRequire as basisRequire }} from 'node:module';\nconst require = basisRequire('{WORKDIR}/{from}');\n"
    );
    format!("{}{}", if requires { head.as_str() } else { "" }, text.trim_end())
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The bytes of what import statements name, without quotes.
fn sources(text: &str) -> Vec<std::ops::Range<usize>> {
    let tree = parse(text);
    let root = tree.root_node();
    let mut cursor = root.walk();
    let imports = root.named_children(&mut cursor).filter(|node| node.kind() == "import_statement");
    imports.filter_map(|node| text_of(node.child_by_field_name("source")?)).collect()
}

/// A relative specifier of one folder as one of another.
fn rebased(from: &str, to: &str, specifier: &str) -> String {
    let mut place: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    for part in specifier.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(place.pop()),
            part => place.push(part),
        }
    }
    let up = to.split('/').filter(|part| !part.is_empty()).count();
    format!("{}{}", if up == 0 { "./".to_owned() } else { "../".repeat(up) }, place.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_lead_to_the_same_files_from_elsewhere() {
        let source = "import test from 'node:test';\nimport { f } from '../lib/a.js';\nimport g from './g.js';\ntest('x', () => {});\n";
        let expected = "import test from 'node:test';\nimport { f } from './lib/a.js';\nimport g from './test/g.js';";
        assert_eq!(elsewhere(source, "test/a.js", "repro.mjs"), expected);
        assert!(elsewhere(source, "test/a.js", "test/b.js").contains("'../lib/a.js'"));
    }

    #[test]
    fn what_is_required_is_required_from_where_the_test_stands() {
        let text = elsewhere("const { f } = require('../lib/a.js');\n", "test/a.js", "repro.mjs");
        assert!(text.contains("basisRequire('/repo/test/a.js');\nconst { f } = require('../lib/a.js');"), "{text}");
    }
}
