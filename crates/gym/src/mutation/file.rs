//! A parsed Python file and the places in it that may be changed.

use std::rc::Rc;

use tree_sitter::{Node, Parser, Tree};

use super::{Edit, Mutation};

/// A Python file without syntax errors, with its syntax tree.
pub struct ParsedFile<'source> {
    path: &'source str,
    source: &'source str,
    tree: Tree,
}

/// A node that may be changed, and the function that it belongs to.
struct Site<'tree> {
    node: Node<'tree>,
    function: Rc<str>,
}

impl<'source> ParsedFile<'source> {
    /// Parses a file; `None` for tests, set-up scripts and text with syntax errors.
    pub fn parse(path: &'source str, source: &'source str) -> Option<Self> {
        if is_exempt(path) {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar matches the linked library");
        let tree = parser.parse(source, None)?;
        (!tree.root_node().has_error()).then_some(Self { path, source, tree })
    }

    /// The text of the file.
    pub fn source(&self) -> &'source str {
        self.source
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
        if self.is_protected(node) {
            return;
        }
        if let Some(function) = &scope.function {
            sites.push(Site { node, function: Rc::clone(function) });
        }
        let inner = match node.kind() {
            "function_definition" => scope.in_function(self.name_of(node)),
            "class_definition" => scope.in_class(self.name_of(node)),
            _ => scope.clone(),
        };
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            self.collect(child, &inner, sites);
        }
    }

    /// Text for people, types, and code that exists only for display.
    fn is_protected(&self, node: Node<'_>) -> bool {
        match node.kind() {
            "decorator" | "type" | "type_parameter" | "import_statement" | "import_from_statement" => true,
            "future_import_statement" | "global_statement" | "nonlocal_statement" | "comment" => true,
            "raise_statement" => true,
            "function_definition" => matches!(self.name_of(node), "__repr__" | "__str__" | "__format__"),
            "expression_statement" => self.is_bare_text(node),
            "if_statement" => self.condition_mentions(node, &["TYPE_CHECKING", "__name__"]),
            "assignment" => self.is_metadata(node),
            "call" => self.is_message(node),
            // Edits inside of replacement fields depend on the quotes around them.
            "string" => has_child(node, "interpolation"),
            _ => false,
        }
    }

    fn is_bare_text(&self, statement: Node<'_>) -> bool {
        let only = statement.named_child(0).filter(|_| statement.named_child_count() == 1);
        only.is_some_and(|child| matches!(child.kind(), "string" | "concatenated_string" | "ellipsis"))
    }

    fn condition_mentions(&self, statement: Node<'_>, words: &[&str]) -> bool {
        let condition = statement.child_by_field_name("condition").map_or("", |node| self.text(node));
        words.iter().any(|word| condition.contains(word))
    }

    fn is_metadata(&self, assignment: Node<'_>) -> bool {
        let target = assignment.child_by_field_name("left").map_or("", |node| self.text(node));
        matches!(target, "__all__" | "__version__" | "__slots__" | "version" | "VERSION")
    }

    /// `print(…)`, `logger.info(…)`, `warnings.warn(…)` and the like.
    pub(super) fn is_message(&self, call: Node<'_>) -> bool {
        let callee = call.child_by_field_name("function").map_or("", |node| self.text(node));
        let (object, method) = callee.rsplit_once('.').unwrap_or(("", callee));
        let object = object.trim_start_matches("self.").trim_start_matches('_').to_ascii_lowercase();
        matches!(object.as_str(), "log" | "logger" | "logging" | "warnings") || (object.is_empty() && method == "print")
    }

    fn name_of(&self, definition: Node<'_>) -> &'source str {
        definition.child_by_field_name("name").map_or("", |node| self.text(node))
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

fn has_child(node: Node<'_>, kind: &str) -> bool {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).any(|child| child.kind() == kind)
}

/// Tests and files that describe the package instead of being part of it.
fn is_exempt(path: &str) -> bool {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_tests = directories.split('/').any(|part| matches!(part, "tests" | "test" | "testing" | "docs"));
    let is_test = name.starts_with("test_") || name.ends_with("_test.py");
    let is_metadata = matches!(name, "conftest.py" | "setup.py" | "_version.py" | "version.py" | "__about__.py");
    !name.ends_with(".py") || in_tests || is_test || is_metadata
}
