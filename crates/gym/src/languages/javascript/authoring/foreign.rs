//! Whether a test file runs code that does not stand in it: text, bytes, another process, a file that it wrote before.

use tree_sitter::Node;

use super::super::syntax::{parse, text_of};
use crate::languages::nodes::find;

/// Names that run such code, whatever they belong to.
const NAMES: [&str; 13] = [
    "eval",
    "Function",
    "constructor",
    "createRequire",
    "getBuiltinModule",
    "binding",
    "dlopen",
    "WebAssembly",
    "Worker",
    "runInThisContext",
    "runInNewContext",
    "runInContext",
    "importScripts",
];
/// Modules that run such code.
const MODULES: [&str; 9] =
    ["vm", "child_process", "worker_threads", "module", "inspector", "cluster", "repl", "process", "wasi"];

/// What runs such code.
pub(super) fn runs_foreign_code(suite: &str) -> Option<String> {
    let tree = parse(suite);
    let root = tree.root_node();
    // What is required before anything else has run cannot have been written by the tests.
    let head = end_of_head(root, suite);
    find(root, &mut |node| {
        let text = &suite[node.byte_range()];
        match node.kind() {
            "identifier" | "property_identifier" => {
                NAMES.iter().find(|name| **name == text).map(|name| (*name).to_owned())
            }
            // `object['constr' + 'uctor']`: what stands there cannot be seen.
            "subscript_expression" => {
                let index = node.child_by_field_name("index")?;
                let is_seen = matches!(index.kind(), "number" | "identifier" | "update_expression")
                    || text_of(index).is_some_and(|range| !NAMES.contains(&&suite[range]));
                (!is_seen).then(|| text.to_owned())
            }
            "import_statement" => module(text_of(node.child_by_field_name("source")?).map(|range| &suite[range])),
            "call_expression" => {
                let callee = node.child_by_field_name("function")?;
                let name = &suite[callee.byte_range()];
                let argument = node.child_by_field_name("arguments").and_then(|it| it.named_child(0));
                let literal = argument.and_then(text_of).map(|range| &suite[range]);
                match name {
                    "import" => Some("import()".to_owned()),
                    "require" if node.start_byte() >= head => Some("a late require()".to_owned()),
                    "require" => module(literal),
                    _ => None,
                }
            }
            _ => None,
        }
    })
}

/// Why a module is suspect; one that is not named is.
fn module(name: Option<&str>) -> Option<String> {
    let Some(name) = name else { return Some("a module without a name".to_owned()) };
    let plain = name.trim_start_matches("node:");
    let is_suspect = MODULES.contains(&plain) || name.starts_with("data:") || name.starts_with('/');
    is_suspect.then(|| name.to_owned())
}

/// The first byte behind imports and constants that are required.
fn end_of_head(root: Node, suite: &str) -> usize {
    let mut cursor = root.walk();
    let stands_first = |node: &Node| {
        let text = &suite[node.byte_range()];
        match node.kind() {
            "import_statement" | "comment" => true,
            "expression_statement" => node.named_child(0).is_some_and(|it| it.kind() == "string"),
            "lexical_declaration" | "variable_declaration" => {
                let mut cursor = node.walk();
                text.contains("require(")
                    && node
                        .named_children(&mut cursor)
                        .all(|it| it.child_by_field_name("value").is_some_and(|value| is_plain_require(value, suite)))
            }
            _ => false,
        }
    };
    root.named_children(&mut cursor).take_while(stands_first).last().map_or(0, |node| node.end_byte())
}

/// `require('a')` or `require('a').b`.
fn is_plain_require(value: Node, suite: &str) -> bool {
    let call = match value.kind() {
        "member_expression" => value.child_by_field_name("object"),
        _ => Some(value),
    };
    let callee = call.and_then(|call| call.child_by_field_name("function"));
    callee.is_some_and(|callee| &suite[callee.byte_range()] == "require")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_from_elsewhere_is_named() {
        for suite in [
            "const own = eval('1');",
            "const own = new Function('return 1');",
            "const own = (() => {}).constructor('return 1');",
            "const own = (() => {})['constr' + 'uctor']('return 1');",
            "import vm from 'node:vm';",
            "const { spawnSync } = require('child_process');",
            "import own from 'data:text/javascript,export default 1';",
            "const own = await import('./own.mjs');",
            "const fs = require('fs');\nfs.writeFileSync('own.js', 'x');\nconst own = require('./own.js');",
            "const own = process.getBuiltinModule('vm');",
        ] {
            assert!(runs_foreign_code(suite).is_some(), "{suite}");
        }
    }

    #[test]
    fn honest_tests_run_only_themselves() {
        for suite in [
            "'use strict';\nconst { test } = require('node:test');\nconst f = require('../lib/a.js').f;\ntest('a', () => { assert.equal(f([1])[0], 2); });\n",
            "import test from 'node:test';\nimport { f } from '../lib/a.js';\ntest('a', async () => { assert.equal(await f({ a: 1 }), 2); });\n",
        ] {
            assert_eq!(runs_foreign_code(suite), None, "{suite}");
        }
    }
}
