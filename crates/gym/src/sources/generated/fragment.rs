//! One template with names and constants put in.

use std::collections::HashMap;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::Split;
use super::inputs::Kind;
use super::template::Template;
use super::vocabulary::{Locals, Names};

/// A function that stands in a module, with the class that it uses, if any.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    /// What it is made of.
    pub(super) template: &'static Template,
    /// Name of the function.
    pub(super) name: String,
    /// Names of its parameters.
    pub(super) parameters: Vec<String>,
    /// Kinds of its arguments.
    pub(super) arguments: Vec<Kind>,
    /// Literals that were chosen for its constants.
    pub(super) literals: Vec<String>,
    /// Numbers that matter to it: its own and those of the functions that it calls.
    pub(super) numbers: Vec<i64>,
    /// A line for the top of the module, or nothing.
    pub(super) constant: Option<String>,
    /// The definitions, without examples.
    pub(super) text: String,
    /// Names of the functions that it calls.
    pub(super) callees: Vec<String>,
    /// Whether it only looks like another function, so that nothing may call it.
    pub(super) is_decoy: bool,
    /// Length of the longest chain of calls that ends here; 1 for a leaf.
    pub(super) depth: usize,
}

impl Fragment {
    /// Fills in a template; `callees` has one function for each signature in `template.calls`.
    pub(super) fn fill(
        template: &'static Template,
        callees: &[&Fragment],
        sibling: Option<&str>,
        split: Split,
        names: &mut Names,
        rng: &mut impl Rng,
    ) -> Self {
        let name = names.function(sibling, rng);
        let mut words = HashMap::from([(template.signature.placeholder.clone(), name.clone())]);
        for (call, callee) in template.calls.iter().zip(callees) {
            words.insert(call.placeholder.clone(), callee.name.clone());
        }
        let passed = callees.first().filter(|_| template.signature.is_open);
        let inherited = passed.map(|callee| callee.parameters.clone()).unwrap_or_default();
        words.insert("args_".to_owned(), inherited.join(", "));
        let mut constant = None;
        let mut literals = Vec::new();
        for (placeholder, choices) in &template.constants {
            let literal = choices.choose(rng).expect("a constant has choices").clone();
            literals.push(literal.clone());
            if placeholder.starts_with(char::is_uppercase) {
                let name = names.constant(rng);
                constant = Some(format!("{name} = {literal}"));
                words.insert(placeholder.clone(), name);
            } else {
                words.insert(placeholder.clone(), literal);
            }
        }
        let mut locals = Locals::new(split, inherited.iter().cloned());
        let text = substituted(template.text, |placeholder| {
            let is_method = template.text.contains(&format!("def {placeholder}(self"));
            let draw = || match () {
                () if placeholder.starts_with(char::is_uppercase) => names.class(rng),
                () if is_method => locals.method(rng),
                () => locals.variable(rng),
            };
            words.entry(placeholder.to_owned()).or_insert_with(draw).clone()
        });
        let numbers = callees.iter().flat_map(|callee| callee.numbers.iter().copied());
        let numbers = numbers.chain(literals.iter().filter_map(|literal| literal.parse().ok())).collect();
        let passed_kinds = passed.map(|callee| callee.arguments.clone()).unwrap_or_default();
        Self {
            template,
            parameters: parameters(&text, &name),
            name,
            arguments: passed_kinds.into_iter().chain(template.signature.arguments.iter().copied()).collect(),
            literals,
            numbers,
            constant,
            text,
            callees: callees.iter().map(|callee| callee.name.clone()).collect(),
            is_decoy: sibling.is_some(),
            depth: 1 + callees.iter().map(|callee| callee.depth).max().unwrap_or(0),
        }
    }
}

/// The text with every placeholder replaced.
fn substituted(text: &str, mut replacement: impl FnMut(&str) -> String) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut made = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let length = rest[start..].find(|letter| !is_word(letter)).unwrap_or(rest.len() - start);
        let word = &rest[start..start + length];
        made.push_str(&rest[..start]);
        if word.ends_with('_') && !word.starts_with('_') {
            made.push_str(&replacement(word));
        } else {
            made.push_str(word);
        }
        rest = &rest[start + length..];
    }
    made + rest
}

/// Names of the parameters of a function in a text.
fn parameters(text: &str, name: &str) -> Vec<String> {
    let head = text.split_once(&format!("def {name}(")).and_then(|(_, rest)| rest.split_once(')'));
    let (list, _) = head.expect("a template defines its function");
    list.split(", ").map(str::to_owned).collect()
}
