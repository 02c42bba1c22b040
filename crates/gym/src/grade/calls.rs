//! Calls with literal arguments: found in tests, evaluated in fresh sandboxes.

use std::collections::BTreeSet;

use tree_sitter::{Node, Parser};

use super::workshop::Workshop;
use crate::episode::InvalidCause;
use crate::project::{RunnerKind, TestSetup};
use crate::tree::Tree;

/// All calls of `function` with literal arguments in a test file, as source that starts with the bare function name,
/// perhaps inside `list(…)` or another builtin that consumes an iterator. In order of appearance, without duplicates.
pub fn in_tests(source: &str, function: &str) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar has a supported version");
    let Some(syntax) = parser.parse(source, None) else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    visit(syntax.root_node(), &mut |node| {
        if let Some(call) = literal_call(node, source, function)
            && call.len() <= 120
            && !call.contains('\n')
            && seen.insert(call.clone())
        {
            found.push(call);
        }
    });
    found
}

fn visit<'tree>(node: Node<'tree>, see: &mut dyn FnMut(Node<'tree>)) {
    see(node);
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        visit(child, see);
    }
}

fn literal_call(node: Node, source: &str, function: &str) -> Option<String> {
    let callee = (node.kind() == "call").then(|| node.child_by_field_name("function"))??;
    let text = |node: Node| &source[node.byte_range()];
    let name = if callee.kind() == "attribute" { callee.child_by_field_name("attribute")? } else { callee };
    let arguments = node.child_by_field_name("arguments")?;
    if text(name) != function || !is_literal(arguments) {
        return None;
    }
    let call = format!("{function}{}", text(arguments));
    let consumer = node.parent()?.parent().filter(|outer| outer.kind() == "call").and_then(|outer| {
        let name = text(outer.child_by_field_name("function")?);
        let only = outer.child_by_field_name("arguments")?.named_child_count() == 1;
        (only && ["list", "tuple", "set", "dict", "sorted", "next", "sum", "len"].contains(&name)).then_some(name)
    });
    Some(consumer.map_or(call.clone(), |name| format!("{name}({call})")))
}

fn is_literal(node: Node) -> bool {
    let own = match node.kind() {
        "argument_list"
        | "list"
        | "tuple"
        | "set"
        | "dictionary"
        | "pair"
        | "unary_operator"
        | "parenthesized_expression" => true,
        "keyword_argument" => return node.child_by_field_name("value").is_some_and(is_literal),
        "integer" | "float" | "true" | "false" | "none" => return true,
        "string" => {
            let mut cursor = node.walk();
            return !node.children(&mut cursor).any(|child| child.kind() == "interpolation");
        }
        _ => false,
    };
    let mut cursor = node.walk();
    own && node.named_children(&mut cursor).all(is_literal)
}

const EVALUATE: &str = r#"
import json, os, signal, sys, types
asked = json.load(sys.stdin)

def expire(*_):
    raise TimeoutError

# Processor time, where it is asked for, does not depend on what else the machine does.
timer, expiry = (signal.ITIMER_PROF, signal.SIGPROF) if asked["processor"] else (signal.ITIMER_REAL, signal.SIGALRM)
signal.signal(expiry, expire)

def values(text):
    signal.setitimer(timer, asked["seconds"])
    module = types.ModuleType(asked["module"])
    module.__package__ = asked["module"].rpartition(".")[0]
    try:
        exec(compile(text, asked["path"], "exec"), vars(module))
        return [value(call, vars(module)) for call in asked["calls"]]
    except BaseException:
        return None
    finally:
        signal.setitimer(timer, 0)

def value(call, names):
    if asked["call_seconds"]:
        signal.setitimer(timer, asked["call_seconds"])
    try:
        return repr(eval(call, dict(names)))[:300]
    except Exception as error:
        if isinstance(error, TimeoutError) and not asked["call_seconds"]:
            raise
        return "!" + type(error).__name__

sys.stdout = open(os.devnull, "w")
answer = json.dumps([values(text) for text in asked["texts"]]).encode()
while answer:
    answer = answer[os.write(3, answer):]
"#;

/// Which calls to evaluate, and in what.
pub struct Question<'a> {
    /// How the project is run.
    pub tests: &'a TestSetup,
    /// The project.
    pub tree: &'a Tree,
    /// The file that is replaced by each of `texts`.
    pub path: &'a str,
    /// Contents of the file to evaluate the calls in, each on its own.
    pub texts: &'a [String],
    /// The calls.
    pub calls: &'a [String],
    /// Seconds that each call may take, after which it counts as having raised `TimeoutError`. Else all share those of their text.
    pub call_seconds: Option<f64>,
}

/// What each call gives with each text, as `repr`, or `!Class` when it raises; `None` for a text that does not import or that
/// takes longer than half a second, for real packages a second of processor time.
///
/// For building tasks from code of the project itself; what graded code says here decides no reward. All texts share one
/// sandbox and one process, because most of the time is that of starting them.
///
/// # Errors
/// Only failures of infrastructure.
pub fn evaluate(workshop: &Workshop, question: &Question) -> Result<Vec<Option<Vec<String>>>, InvalidCause> {
    let Question { tests, tree, path, texts, calls, call_seconds } = question;
    let module = crate::draft::module_name(path, &tests.import_roots);
    let is_real = tests.runner == RunnerKind::Pytest;
    let seconds = if is_real { 1.0 } else { 0.5 };
    let asked = serde_json::json!({
        "module": module, "path": path, "texts": texts, "calls": calls, "processor": is_real, "seconds": seconds,
        "call_seconds": call_seconds
    })
    .to_string();
    let output = workshop.run_python(tests, &[tree], &["-c", EVALUATE], asked.into_bytes())?;
    let nothing = || vec![None; texts.len()];
    let values: Vec<Option<Vec<String>>> = serde_json::from_slice(&output.report.bytes).unwrap_or_else(|_| nothing());
    let is_whole = values.len() == texts.len() && values.iter().flatten().all(|values| values.len() == calls.len());
    Ok(if is_whole { values } else { nothing() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_with_literal_arguments_are_found() {
        let source = "import m\nfrom m import f\n\ndef test_a():\n    assert f(1, [2, -3], k='x') == 4\n    x = 2\n    assert f(x) == 1\n    assert list(m.f('a', (1,))) == []\n    assert f(1, [2, -3], k='x') == 4\n";
        assert_eq!(in_tests(source, "f"), ["f(1, [2, -3], k='x')", "list(f('a', (1,)))"]);
    }
}
