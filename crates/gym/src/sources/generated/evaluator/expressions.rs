//! Expressions.

use std::rc::Rc;

use super::program::{Budget, Program};
use super::syntax::{Each, Expression};
use super::value::{Stop, Value};
use super::{methods, operations};

/// One running call.
pub(super) struct Frame<'program> {
    pub(super) program: &'program Program,
    pub(super) budget: &'program Budget,
    pub(super) locals: Vec<(Rc<str>, Value)>,
}

impl Frame<'_> {
    /// Takes one step of the budget.
    pub(super) fn spend(&self) -> Result<(), Stop> {
        self.budget.steps.set(self.budget.steps.get().checked_sub(1).ok_or(Stop::TooLong)?);
        Ok(())
    }

    pub(super) fn bind(&mut self, name: &Rc<str>, value: Value) {
        match self.locals.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.locals.push((Rc::clone(name), value)),
        }
    }

    /// Evaluates an expression.
    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value, Stop> {
        self.spend()?;
        Ok(match expression {
            Expression::Constant(value) => value.clone(),
            Expression::Name(name) => self.name(name)?,
            Expression::List(items) => Value::list(self.values(items)?),
            Expression::Tuple(items) => Value::Tuple(self.values(items)?.into()),
            Expression::Dict(pairs) => {
                let dict = Value::dict(Vec::new());
                for (key, value) in pairs {
                    let (key, value) = (self.value(key)?, self.value(value)?);
                    operations::set_item(&dict, key, value)?;
                }
                dict
            }
            Expression::Each(each) => self.each(each)?,
            Expression::Not(argument) => Value::Bool(!self.value(argument)?.is_true()),
            Expression::Minus(argument) => {
                Value::Int(self.value(argument)?.number()?.checked_neg().ok_or(Stop::TooLong)?)
            }
            Expression::Connected { is_and, sides } => {
                let left = self.value(&sides[0])?;
                if left.is_true() == *is_and { self.value(&sides[1])? } else { left }
            }
            Expression::Compared { first, rest } => self.compared(first, rest)?,
            Expression::Binary { sign, sides } => {
                let (left, right) = (self.value(&sides[0])?, self.value(&sides[1])?);
                operations::binary(sign, &left, &right)?
            }
            Expression::Choice(parts) => {
                let [then, condition, otherwise] = &**parts;
                if self.value(condition)?.is_true() { self.value(then)? } else { self.value(otherwise)? }
            }
            Expression::Call { name, arguments, keywords } => {
                let arguments = self.values(arguments)?;
                let keyword = |(name, value): &(Rc<str>, _)| Ok((Rc::clone(name), self.value(value)?));
                let keywords = keywords.iter().map(keyword).collect::<Result<_, _>>()?;
                self.call(name, arguments, keywords)?
            }
            Expression::Method { object, name, arguments } => {
                let object = self.value(object)?;
                let arguments = self.values(arguments)?;
                self.method(&object, name, arguments)?
            }
            Expression::Attribute { object, name } => match self.value(object)? {
                Value::Object(object) => {
                    let attributes = object.attributes.borrow();
                    attributes.iter().find(|(known, _)| known == name).ok_or(Stop::Raised)?.1.clone()
                }
                _ => return Err(Stop::Raised),
            },
            Expression::Index(sides) => {
                let (object, index) = (self.value(&sides[0])?, self.value(&sides[1])?);
                operations::item(&object, &index)?
            }
            Expression::Slice { object, bounds } => {
                let object = self.value(object)?;
                let mut evaluated = [None; 3];
                for (slot, bound) in evaluated.iter_mut().zip(bounds) {
                    *slot = bound.as_ref().map(|bound| self.value(bound)?.number()).transpose()?;
                }
                operations::slice(&object, evaluated)?
            }
        })
    }

    fn values(&mut self, expressions: &[Expression]) -> Result<Vec<Value>, Stop> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    fn name(&self, name: &Rc<str>) -> Result<Value, Stop> {
        let local = self.locals.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        local.or_else(|| self.program.constants.get(name)).cloned().ok_or(Stop::Raised)
    }

    fn compared(&mut self, first: &Expression, rest: &[(&'static str, Expression)]) -> Result<Value, Stop> {
        let mut left = self.value(first)?;
        for (sign, right) in rest {
            let right = self.value(right)?;
            if !operations::compare(sign, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// Names bound by a comprehension do not outlive it.
    fn each(&mut self, each: &Each) -> Result<Value, Stop> {
        let items = self.value(&each.source)?.items()?;
        let before = self.locals.clone();
        let mut made = Vec::new();
        let dict = Value::dict(Vec::new());
        for item in items {
            self.assign(&each.target, item)?;
            if !each.conditions.iter().try_fold(true, |all, one| Ok(all && self.value(one)?.is_true()))? {
                continue;
            }
            match &each.key {
                Some(key) => {
                    let (key, value) = (self.value(key)?, self.value(&each.item)?);
                    operations::set_item(&dict, key, value)?;
                }
                None => made.push(self.value(&each.item)?),
            }
        }
        self.locals = before;
        Ok(if each.key.is_some() { dict } else { Value::list(made) })
    }

    fn method(&mut self, object: &Value, name: &str, arguments: Vec<Value>) -> Result<Value, Stop> {
        let Value::Object(instance) = object else { return methods::call(object, name, &arguments) };
        let class = self.program.classes.get(&instance.class).ok_or(Stop::Raised)?;
        let method = class.get(name).ok_or(Stop::Raised)?;
        self.enter(method, std::iter::once(object.clone()).chain(arguments).collect(), Vec::new())
    }
}
