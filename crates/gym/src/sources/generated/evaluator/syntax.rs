//! Expressions and statements as a small tree that is quick to evaluate.

use std::rc::Rc;

use super::value::Value;

/// An expression.
pub(super) enum Expression {
    Constant(Value),
    Name(Rc<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Each(Box<Each>),
    Not(Box<Expression>),
    Minus(Box<Expression>),
    Connected { is_and: bool, sides: Box<[Expression; 2]> },
    Compared { first: Box<Expression>, rest: Vec<(&'static str, Expression)> },
    Binary { sign: &'static str, sides: Box<[Expression; 2]> },
    Choice(Box<[Expression; 3]>),
    Call { name: Rc<str>, arguments: Vec<Expression>, keywords: Vec<(Rc<str>, Expression)> },
    Method { object: Box<Expression>, name: Rc<str>, arguments: Vec<Expression> },
    Attribute { object: Box<Expression>, name: Rc<str> },
    Index(Box<[Expression; 2]>),
    Slice { object: Box<Expression>, bounds: [Option<Box<Expression>>; 3] },
}

/// A comprehension over one iterable.
pub(super) struct Each {
    /// Set for a dictionary.
    pub(super) key: Option<Expression>,
    pub(super) item: Expression,
    pub(super) target: Expression,
    pub(super) source: Expression,
    pub(super) conditions: Vec<Expression>,
}

/// A statement.
pub(super) enum Statement {
    Assign { target: Expression, value: Expression },
    Update { target: Expression, sign: &'static str, value: Expression },
    Evaluate(Expression),
    If { branches: Vec<(Expression, Vec<Statement>)>, otherwise: Vec<Statement> },
    For { target: Expression, source: Expression, body: Vec<Statement> },
    While { condition: Expression, body: Vec<Statement> },
    Return(Option<Expression>),
    Break,
    Continue,
    Pass,
}
