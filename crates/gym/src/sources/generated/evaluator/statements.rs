//! Statements and calls.

use std::cell::RefCell;
use std::rc::Rc;

use super::builtins;
use super::expressions::Frame;
use super::operations;
use super::program::Function;
use super::syntax::{Expression, Statement};
use super::value::{Object, Stop, Value};

/// What happens after a statement.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl Frame<'_> {
    /// Calls a function, a class or a built-in by name.
    pub(super) fn call(
        &mut self,
        name: &str,
        arguments: Vec<Value>,
        keywords: Vec<(Rc<str>, Value)>,
    ) -> Result<Value, Stop> {
        if let Some(function) = self.program.functions.get(name) {
            return self.enter(function, arguments, keywords);
        }
        let Some(methods) = self.program.classes.get(name) else {
            return builtins::call(name, &arguments, &keywords);
        };
        let object = Value::Object(Rc::new(Object { class: name.into(), attributes: RefCell::default() }));
        if let Some(initialiser) = methods.get("__init__") {
            let arguments = std::iter::once(object.clone()).chain(arguments).collect();
            self.enter(initialiser, arguments, keywords)?;
        }
        Ok(object)
    }

    /// Runs a function with its arguments bound.
    pub(super) fn enter(
        &mut self,
        function: &Function,
        arguments: Vec<Value>,
        keywords: Vec<(Rc<str>, Value)>,
    ) -> Result<Value, Stop> {
        let depth = self.budget.depth.get().checked_sub(1).ok_or(Stop::TooLong)?;
        if arguments.len() > function.parameters.len() {
            return Err(Stop::Raised);
        }
        let mut frame = Frame { program: self.program, budget: self.budget, locals: Vec::new() };
        let mut arguments = arguments.into_iter();
        for (name, default) in &function.parameters {
            let named = || keywords.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value.clone());
            let value = match (arguments.next().or_else(named), default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.value(default)?,
                (None, None) => return Err(Stop::Raised),
            };
            frame.locals.push((Rc::clone(name), value));
        }
        self.budget.depth.set(depth);
        let flow = frame.run(&function.body);
        self.budget.depth.set(depth + 1);
        Ok(match flow? {
            Flow::Return(value) => value,
            _ => Value::None,
        })
    }

    fn run(&mut self, statements: &[Statement]) -> Result<Flow, Stop> {
        for statement in statements {
            match self.step(statement)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn step(&mut self, statement: &Statement) -> Result<Flow, Stop> {
        self.spend()?;
        match statement {
            Statement::Assign { target, value } => {
                let value = self.value(value)?;
                self.assign(target, value)?;
            }
            Statement::Update { target, sign, value } => {
                let (old, value) = (self.value(target)?, self.value(value)?);
                match (&old, *sign) {
                    // A list is extended in place, and every name of it sees that.
                    (Value::List(items), "+") => items.borrow_mut().extend(value.items()?),
                    _ => self.assign(target, operations::binary(sign, &old, &value)?)?,
                }
            }
            Statement::Evaluate(expression) => {
                self.value(expression)?;
            }
            Statement::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.value(condition)?.is_true() {
                        return self.run(body);
                    }
                }
                return self.run(otherwise);
            }
            Statement::For { target, source, body } => {
                for item in self.value(source)?.items()? {
                    self.assign(target, item)?;
                    match self.run(body)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        flow @ Flow::Return(_) => return Ok(flow),
                    }
                }
            }
            Statement::While { condition, body } => {
                while self.value(condition)?.is_true() {
                    match self.run(body)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        flow @ Flow::Return(_) => return Ok(flow),
                    }
                }
            }
            Statement::Return(value) => {
                return Ok(Flow::Return(value.as_ref().map_or(Ok(Value::None), |value| self.value(value))?));
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Pass => {}
        }
        Ok(Flow::Next)
    }

    /// Binds a target: a name, a tuple of targets, an item or an attribute.
    pub(super) fn assign(&mut self, target: &Expression, value: Value) -> Result<(), Stop> {
        match target {
            Expression::Name(name) => self.bind(name, value),
            Expression::Tuple(targets) => {
                let items = value.items()?;
                if items.len() != targets.len() {
                    return Err(Stop::Raised);
                }
                targets.iter().zip(items).try_for_each(|(target, item)| self.assign(target, item))?;
            }
            Expression::Index(sides) => {
                let (object, index) = (self.value(&sides[0])?, self.value(&sides[1])?);
                operations::set_item(&object, index, value)?;
            }
            Expression::Attribute { object, name } => match self.value(object)? {
                Value::Object(object) => {
                    let mut attributes = object.attributes.borrow_mut();
                    match attributes.iter_mut().find(|(known, _)| known == name) {
                        Some((_, old)) => *old = value,
                        None => attributes.push((Rc::clone(name), value)),
                    }
                }
                _ => return Err(Stop::Raised),
            },
            _ => return Err(Stop::Unsupported("target".to_owned())),
        }
        Ok(())
    }
}
