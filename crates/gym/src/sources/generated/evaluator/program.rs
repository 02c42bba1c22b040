//! Functions and classes that can be called, collected from one or more texts.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use tree_sitter::{Node, Parser};

use super::expressions::Frame;
use super::reader::{Reader, children, field};
use super::syntax::{Expression, Statement};
use super::value::{Stop, Value};

/// Steps that one call may take.
const STEPS: u32 = 2_500;

/// Nested calls that one call may make.
const DEPTH: u32 = 40;

/// Definitions by name. Names are unique in a program: there are no modules here.
#[derive(Clone, Default)]
pub(in super::super) struct Program {
    pub(super) functions: Functions,
    pub(super) classes: HashMap<Rc<str>, Rc<Functions>>,
    pub(super) constants: HashMap<Rc<str>, Value>,
}

/// Functions of a program or methods of a class, by name.
pub(super) type Functions = HashMap<Rc<str>, Rc<Function>>;

/// A function or method.
pub(super) struct Function {
    pub(super) parameters: Vec<(Rc<str>, Option<Expression>)>,
    pub(super) body: Vec<Statement>,
}

/// What is left of the limits of one call.
pub(super) struct Budget {
    pub(super) steps: Cell<u32>,
    pub(super) depth: Cell<u32>,
}

impl Program {
    /// Adds the definitions of a text; one with a known name takes its place. Imports are ignored.
    pub(in super::super) fn load(&mut self, source: &str) -> Result<(), Stop> {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_python::LANGUAGE.into()).expect("the grammar matches the linked library");
        let tree = parser.parse(source, None).ok_or(Stop::Raised)?;
        if tree.root_node().has_error() {
            return Err(Stop::Raised);
        }
        let reader = Reader { source };
        children(tree.root_node()).into_iter().try_for_each(|node| self.define(&reader, node))
    }

    fn define(&mut self, reader: &Reader<'_>, node: Node<'_>) -> Result<(), Stop> {
        match node.kind() {
            "function_definition" => {
                let (name, function) = function(reader, node)?;
                self.functions.insert(name, function);
            }
            "class_definition" => {
                let body = children(field(node, "body")?).into_iter();
                let methods = body.filter(|member| member.kind() == "function_definition");
                let methods = methods.map(|method| function(reader, method)).collect::<Result<_, _>>()?;
                self.classes.insert(reader.text(field(node, "name")?).into(), Rc::new(methods));
            }
            "expression_statement" => {
                let assignment = node.named_child(0).filter(|inner| inner.kind() == "assignment");
                let Some(assignment) = assignment else { return Ok(()) };
                let value = reader.expression(field(assignment, "right")?)?;
                let value = self.evaluate(|frame| frame.value(&value))?;
                self.constants.insert(reader.text(field(assignment, "left")?).into(), value);
            }
            _ => {}
        }
        Ok(())
    }

    /// Calls a function with positional arguments, which it gets as copies.
    pub(in super::super) fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, Stop> {
        self.evaluate(|frame| frame.call(name, arguments.iter().map(Value::copied).collect(), Vec::new()))
    }

    fn evaluate<T>(&self, evaluation: impl FnOnce(&mut Frame<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        let budget = Budget { steps: Cell::new(STEPS), depth: Cell::new(DEPTH) };
        evaluation(&mut Frame { program: self, budget: &budget, locals: Vec::new() })
    }
}

fn function(reader: &Reader<'_>, node: Node<'_>) -> Result<(Rc<str>, Rc<Function>), Stop> {
    let parameter = |parameter: Node<'_>| match parameter.kind() {
        "default_parameter" => {
            let value = reader.expression(field(parameter, "value")?)?;
            Ok((reader.text(field(parameter, "name")?).into(), Some(value)))
        }
        _ => Ok((reader.text(parameter).into(), None)),
    };
    let parameters = children(field(node, "parameters")?).into_iter().map(parameter).collect::<Result<_, _>>()?;
    let body = reader.block(field(node, "body")?)?;
    Ok((reader.text(field(node, "name")?).into(), Rc::new(Function { parameters, body })))
}
