//! Values, their order, and how they print.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

/// Why an evaluation has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Stop {
    /// Python would raise an exception.
    Raised,
    /// It takes more steps than any sensible call.
    TooLong,
    /// Something that this evaluator does not know.
    Unsupported(String),
}

/// A Python value. Lists, dictionaries and objects are shared, as in Python.
#[derive(Debug, Clone)]
pub(in super::super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Rc<str>),
    Tuple(Rc<[Value]>),
    List(Rc<RefCell<Vec<Value>>>),
    Dict(Rc<RefCell<Vec<(Value, Value)>>>),
    Object(Rc<Object>),
}

/// An instance of a class.
#[derive(Debug)]
pub(in super::super) struct Object {
    pub(super) class: Rc<str>,
    pub(super) attributes: RefCell<Vec<(Rc<str>, Value)>>,
}

impl Value {
    /// A text value.
    pub(in super::super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A new list.
    pub(in super::super) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    /// A new dictionary.
    pub(in super::super) fn dict(items: Vec<(Value, Value)>) -> Self {
        Self::Dict(Rc::new(RefCell::new(items)))
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::List(items) => !items.borrow().is_empty(),
            Self::Dict(items) => !items.borrow().is_empty(),
            Self::Object(_) => true,
        }
    }

    /// The value as a number, if it is one; `True` and `False` are.
    pub(super) fn number(&self) -> Result<i64, Stop> {
        match self {
            Self::Int(value) => Ok(*value),
            Self::Bool(value) => Ok(i64::from(*value)),
            _ => Err(Stop::Raised),
        }
    }

    /// What a loop over the value sees.
    pub(super) fn items(&self) -> Result<Vec<Value>, Stop> {
        match self {
            Self::Text(text) => Ok(text.chars().map(|letter| Self::text(letter.encode_utf8(&mut [0; 4]))).collect()),
            Self::Tuple(items) => Ok(items.to_vec()),
            Self::List(items) => Ok(items.borrow().clone()),
            Self::Dict(items) => Ok(items.borrow().iter().map(|(key, _)| key.clone()).collect()),
            _ => Err(Stop::Raised),
        }
    }

    /// `==`.
    pub(in super::super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Tuple(left), Self::Tuple(right)) => same_items(left, right),
            (Self::List(left), Self::List(right)) => same_items(&left.borrow(), &right.borrow()),
            (Self::Dict(left), Self::Dict(right)) => {
                let (left, right) = (left.borrow(), right.borrow());
                let has = |(key, value): &(Value, Value)| {
                    right.iter().any(|(other, found)| key.equals(other) && value.equals(found))
                };
                left.len() == right.len() && left.iter().all(has)
            }
            (Self::Object(left), Self::Object(right)) => Rc::ptr_eq(left, right),
            _ => matches!((self.number(), other.number()), (Ok(left), Ok(right)) if left == right),
        }
    }

    /// The order of two values that have one.
    pub(super) fn order(&self, other: &Self) -> Result<Ordering, Stop> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Ok(left.cmp(right)),
            (Self::Tuple(left), Self::Tuple(right)) => order_items(left, right),
            (Self::List(left), Self::List(right)) => order_items(&left.borrow(), &right.borrow()),
            _ => Ok(self.number()?.cmp(&other.number()?)),
        }
    }

    /// A value that shares nothing with this one.
    pub(in super::super) fn copied(&self) -> Self {
        match self {
            Self::List(items) => Self::list(items.borrow().iter().map(Self::copied).collect()),
            Self::Dict(items) => {
                Self::dict(items.borrow().iter().map(|(key, value)| (key.copied(), value.copied())).collect())
            }
            Self::Tuple(items) => Self::Tuple(items.iter().map(Self::copied).collect()),
            _ => self.clone(),
        }
    }
}

fn same_items(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.equals(right))
}

fn order_items(left: &[Value], right: &[Value]) -> Result<Ordering, Stop> {
    match left.iter().zip(right).find(|(left, right)| !left.equals(right)) {
        Some((left, right)) => left.order(right),
        None => Ok(left.len().cmp(&right.len())),
    }
}

/// As `repr` prints it; text must not hold both quotes, backslashes or control characters.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(text) if text.contains('\'') => write!(f, "\"{text}\""),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Self::Tuple(items) => write!(f, "({})", joined(items)),
            Self::List(items) => write!(f, "[{}]", joined(&items.borrow())),
            Self::Dict(items) => {
                let pairs: Vec<String> = items.borrow().iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{{}}}", pairs.join(", "))
            }
            Self::Object(object) => write!(f, "<{} object>", object.class),
        }
    }
}

/// Values as they stand between brackets.
fn joined(items: &[Value]) -> String {
    items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
