//! A parsed file and the places in it that may be changed.

use std::rc::Rc;

use tree_sitter::{Node, Parser, Tree};

use super::{Definition, Edit, Mutation, Rules};

/// A file without syntax errors, with its syntax tree.
pub struct ParsedFile<'source> {
    path: &'source str,
    source: &'source str,
    tree: Tree,
    rules: &'static dyn Rules,
}

/// A node that may be changed, and the function that it belongs to.
struct Site<'tree> {
    node: Node<'tree>,
    function: Rc<str>,
}

impl<'source> ParsedFile<'source> {
    /// Parses a file; `None` for tests, set-up scripts and text with syntax errors.
    pub fn parse(rules: &'static dyn Rules, path: &'source str, source: &'source str) -> Option<Self> {
        if rules.is_exempt(path) {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&rules.grammar()).expect("the grammar matches the linked library");
        let tree = parser.parse(source, None)?;
        (!tree.root_node().has_error()).then_some(Self { path, source, tree, rules })
    }

    /// The text of the file.
    pub fn source(&self) -> &'source str {
        self.source
    }

    /// The root of the syntax tree.
    pub fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// The text of a node of this file.
    pub fn text(&self, node: Node<'_>) -> &'source str {
        &self.source[node.byte_range()]
    }

    /// Offers every changeable node of one of the `kinds` to `edits` and turns what comes back into mutations.
    pub fn mutations_of(
        &self,
        operator: &'static str,
        kinds: &[&str],
        edits: impl Fn(Node<'_>) -> Vec<Edit>,
    ) -> Vec<Mutation> {
        let mut sites = Vec::new();
        self.collect(self.tree.root_node(), &Scope::default(), &mut sites);
        let chosen = sites.into_iter().filter(|site| kinds.contains(&site.node.kind()));
        chosen
            .flat_map(|site| {
                let function = site.function;
                edits(site.node).into_iter().map(move |edit| self.mutation(operator, &function, edit))
            })
            .collect()
    }

    fn mutation(&self, operator: &str, function: &str, edit: Edit) -> Mutation {
        let before = &self.source[edit.range.clone()];
        let indentation = before.len() - before.trim_start().len();
        let position = edit.range.start + if indentation < before.len() { indentation } else { 0 };
        Mutation {
            operator: operator.to_owned(),
            path: self.path.to_owned(),
            start: edit.range.start,
            end: edit.range.end,
            before: before.to_owned(),
            after: self.spaced(&edit),
            function: function.to_owned(),
            line: 1 + self.source[..position].matches('\n').count(),
        }
    }

    /// The new text, kept apart from a keyword or name that touches the range, as in `return(a)`.
    fn spaced(&self, edit: &Edit) -> String {
        let is_word = |end: Option<char>| end.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        let before = is_word(self.source[..edit.range.start].chars().next_back());
        let after = is_word(self.source[edit.range.end..].chars().next());
        let left = if before && is_word(edit.after.chars().next()) { " " } else { "" };
        let right = if after && is_word(edit.after.chars().next_back()) { " " } else { "" };
        format!("{left}{}{right}", edit.after)
    }

    fn collect<'tree>(&self, node: Node<'tree>, scope: &Scope, sites: &mut Vec<Site<'tree>>) {
        if self.rules.is_protected(self, node) {
            return;
        }
        if let Some(function) = &scope.function {
            sites.push(Site { node, function: Rc::clone(function) });
        }
        let inner = match self.rules.definition(self, node) {
            Some(Definition::Function(name)) => scope.in_function(name),
            Some(Definition::Class(name)) => scope.in_class(name),
            None => scope.clone(),
        };
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            self.collect(child, &inner, sites);
        }
    }
}

/// Names of the definitions around a node.
#[derive(Clone, Default)]
struct Scope {
    function: Option<Rc<str>>,
    class: Option<Rc<str>>,
}

impl Scope {
    fn in_function(&self, name: &str) -> Self {
        let name = self.class.as_ref().map_or_else(|| name.to_owned(), |class| format!("{class}.{name}"));
        Self { function: Some(name.into()), class: None }
    }

    fn in_class(&self, name: &str) -> Self {
        Self { function: self.function.clone(), class: Some(name.into()) }
    }
}
