//! Files in which one function is written in another way and does the same, stands once more without being called, or leaves a mark.

use tree_sitter::Node;

use super::super::syntax;
use super::{at_top, item};

/// Rewrites of a function at the top of a file.
pub(super) fn rewrites(source: &str, function: &str) -> Vec<String> {
    [behind_helper(source, function), shifted(source, function)].into_iter().flatten().collect()
}

/// The body moves into a function inside, which gets the same parameters.
fn behind_helper(source: &str, function: &str) -> Option<String> {
    at_top(source, function)?;
    let tree = syntax::parse(source);
    let item = item(tree.root_node(), source, function)?;
    let text = |node: Node| &source[node.byte_range()];
    let (name, body) = (item.child_by_field_name("name")?, item.child_by_field_name("body")?);
    let parameters = parameters(item, source)?;
    let mut cursor = item.walk();
    let modifiers = item.children(&mut cursor).find(|child| child.kind() == "function_modifiers").map_or("", text);
    if modifiers.contains("async") || modifiers.contains("unsafe") || modifiers.contains("extern") {
        return None;
    }
    let signature = &source[name.end_byte()..body.start_byte()];
    let helper = format!("{modifiers} fn {}_body{signature}{}", text(name), text(body));
    let call = format!("{}_body({})", text(name), parameters.join(", "));
    let outer = signature.replace("mut ", "");
    // `mut` also stands in types.
    let outer = if signature.contains("&mut ") || signature.contains("*mut ") { signature } else { &outer };
    Some(format!(
        "{}{outer}{{\n    {}\n    {call}\n}}{}",
        &source[..name.end_byte()],
        helper.trim_start(),
        &source[item.end_byte()..]
    ))
}

/// The names of the parameters, when all are plain names.
fn parameters(item: Node, source: &str) -> Option<Vec<String>> {
    let list = item.child_by_field_name("parameters")?;
    let mut cursor = list.walk();
    let kept: Vec<Node> = list.named_children(&mut cursor).filter(|child| !child.kind().ends_with("comment")).collect();
    let plain = |parameter: &Node| {
        let pattern = parameter.child_by_field_name("pattern").filter(|pattern| pattern.kind() == "identifier")?;
        Some(source[pattern.byte_range()].to_owned())
    };
    kept.iter().map(plain).collect()
}

/// Other lines and another constant beside it.
fn shifted(source: &str, function: &str) -> Option<String> {
    let span = at_top(source, function)?;
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    Some(format!(
        "{}// Moved down by two lines.\n// The behaviour is the same.\n{}\n#[allow(dead_code)]\nconst MARKER_OF_{}: [u8; 3] = [0, 1, 2];\n",
        &source[..start],
        &source[start..],
        function.to_uppercase()
    ))
}

/// A file with a function of another one inside of a function that nobody calls. Methods need what they belong to and are left out.
pub(super) fn idle(own: &str, other: &str, function: &str) -> Option<String> {
    at_top(other, function)?;
    let tree = syntax::parse(other);
    let item = item(tree.root_node(), other, function)?;
    let text = other[item.byte_range()].trim_start_matches("pub").trim_start();
    let text = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(text, |(_, rest)| rest.trim_start());
    Some(format!("{own}\n#[allow(dead_code)]\nfn {function}_of_before() {{\n    #[allow(dead_code)]\n    {text}\n}}\n"))
}

/// A file in which a function makes an empty file when it is entered. What may run while compiling cannot.
pub(super) fn marked(source: &str, function: &str, path: &str) -> Option<String> {
    let tree = syntax::parse(source);
    let item = item(tree.root_node(), source, function)?;
    let body = item.child_by_field_name("body")?;
    if source[item.start_byte()..body.start_byte()].contains("const ") {
        return None;
    }
    let at = body.start_byte() + 1;
    // A crate without the standard library still finds it.
    let mark = format!(" {{ extern crate std as marking; let _ = marking::fs::File::create({path:?}); }}");
    Some(format!("{}{mark}{}", &source[..at], &source[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
/// Half of n.
#[inline]
pub fn half<T: Into<i64>>(mut n: i64, _other: T) -> i64 {
    if n < 0 {
        n = -n;
        return -half(n, 1);
    }
    n / 2
}

pub struct A;
impl A {
    pub fn get(&self) -> i64 { 1 }
}
";

    /// Compiles a file and runs it.
    fn run(source: &str) -> bool {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.rs");
        let main = "fn main() { for (n, wanted) in [(-5, -2), (0, 0), (7, 3)] { assert_eq!(half(n, 1u8), wanted); } assert_eq!(A.get(), 1); }\n";
        std::fs::write(&path, format!("{source}{main}")).expect("written");
        let program = directory.path().join("a");
        let compiler = std::path::Path::new(env!("CARGO")).with_file_name("rustc");
        let built =
            std::process::Command::new(compiler).args(["--cap-lints=allow", "-o"]).arg(&program).arg(&path).status();
        built.expect("whoever tests has a compiler").success()
            && std::process::Command::new(&program).status().expect("it runs").success()
    }

    #[test]
    fn rewrites_behave_the_same_and_read_differently() {
        let all = rewrites(SOURCE, "half");
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|text| text != SOURCE && run(text)), "{all:?}");
        assert!(rewrites(SOURCE, "get").is_empty() && rewrites(SOURCE, "missing").is_empty());
    }

    #[test]
    fn the_function_of_the_other_file_stands_where_nothing_calls_it() {
        let text = idle(SOURCE, &SOURCE.replace("n / 2", "n / 3"), "half").expect("there is one");
        assert!(run(&text) && text.contains("n / 3"), "{text}");
        assert_eq!(idle(SOURCE, SOURCE, "A.get"), None);
    }

    #[test]
    fn a_function_leaves_its_mark_and_nothing_else_does() {
        let directory = tempfile::tempdir().expect("a directory");
        let mark = |name: &str| directory.path().join(name);
        let text = marked(SOURCE, "A.get", &mark("get").display().to_string()).expect("there is one");
        assert!(run(&text) && mark("get").exists(), "{text}");
        let text = marked(SOURCE, "half", &mark("half").display().to_string()).expect("there is one");
        assert!(run(&text) && mark("half").exists(), "{text}");
        assert_eq!(marked("const fn f() {}\n", "f", "/x"), None);
    }
}
