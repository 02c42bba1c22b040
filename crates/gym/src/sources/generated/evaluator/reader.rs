//! From tree-sitter's nodes to expressions and statements; what is not known is refused here.

use tree_sitter::Node;

use super::syntax::{Each, Expression, Statement};
use super::value::{Stop, Value};

/// Reads nodes of one text.
pub(super) struct Reader<'source> {
    pub(super) source: &'source str,
}

type Read<T> = Result<T, Stop>;

impl Reader<'_> {
    pub(super) fn text(&self, node: Node<'_>) -> &str {
        &self.source[node.byte_range()]
    }

    pub(super) fn block(&self, node: Node<'_>) -> Read<Vec<Statement>> {
        children(node).into_iter().map(|child| self.statement(child)).collect()
    }

    fn statement(&self, node: Node<'_>) -> Read<Statement> {
        Ok(match node.kind() {
            "expression_statement" => self.simple(child(node, 0)?)?,
            "return_statement" => {
                Statement::Return(node.named_child(0).map(|value| self.expression(value)).transpose()?)
            }
            "if_statement" => self.branches(node)?,
            "for_statement" => Statement::For {
                target: self.field(node, "left")?,
                source: self.field(node, "right")?,
                body: self.block(field(node, "body")?)?,
            },
            "while_statement" => {
                Statement::While { condition: self.field(node, "condition")?, body: self.block(field(node, "body")?)? }
            }
            "break_statement" => Statement::Break,
            "continue_statement" => Statement::Continue,
            "pass_statement" => Statement::Pass,
            kind => return Err(unsupported(kind)),
        })
    }

    fn simple(&self, node: Node<'_>) -> Read<Statement> {
        Ok(match node.kind() {
            "assignment" if node.child_by_field_name("type").is_some() => return Err(unsupported("annotation")),
            "assignment" => Statement::Assign { target: self.field(node, "left")?, value: self.field(node, "right")? },
            "augmented_assignment" => Statement::Update {
                target: self.field(node, "left")?,
                sign: sign(field(node, "operator")?.kind().trim_end_matches('='))?,
                value: self.field(node, "right")?,
            },
            _ => Statement::Evaluate(self.expression(node)?),
        })
    }

    fn branches(&self, node: Node<'_>) -> Read<Statement> {
        let mut branches = vec![(self.field(node, "condition")?, self.block(field(node, "consequence")?)?)];
        let mut otherwise = Vec::new();
        for clause in children(node) {
            match clause.kind() {
                "elif_clause" => {
                    branches.push((self.field(clause, "condition")?, self.block(field(clause, "consequence")?)?));
                }
                "else_clause" => otherwise = self.block(field(clause, "body")?)?,
                _ => {}
            }
        }
        Ok(Statement::If { branches, otherwise })
    }

    fn field(&self, node: Node<'_>, name: &str) -> Read<Expression> {
        self.expression(field(node, name)?)
    }

    fn boxed(&self, node: Node<'_>, name: &str) -> Read<Box<Expression>> {
        Ok(Box::new(self.field(node, name)?))
    }

    fn sides(&self, node: Node<'_>) -> Read<Box<[Expression; 2]>> {
        Ok(Box::new([self.field(node, "left")?, self.field(node, "right")?]))
    }

    fn all(&self, node: Node<'_>) -> Read<Vec<Expression>> {
        children(node).into_iter().map(|child| self.expression(child)).collect()
    }

    pub(super) fn expression(&self, node: Node<'_>) -> Read<Expression> {
        Ok(match node.kind() {
            "integer" => Expression::Constant(Value::Int(self.text(node).parse().map_err(|_| unsupported("integer"))?)),
            "true" => Expression::Constant(Value::Bool(true)),
            "false" => Expression::Constant(Value::Bool(false)),
            "none" => Expression::Constant(Value::None),
            "string" => Expression::Constant(self.string(node)?),
            "identifier" => Expression::Name(self.text(node).into()),
            "parenthesized_expression" => self.expression(child(node, 0)?)?,
            "list" => Expression::List(self.all(node)?),
            "tuple" | "expression_list" | "pattern_list" | "tuple_pattern" => Expression::Tuple(self.all(node)?),
            "dictionary" => {
                let pair = |pair| Ok((self.field(pair, "key")?, self.field(pair, "value")?));
                Expression::Dict(children(node).into_iter().map(pair).collect::<Read<_>>()?)
            }
            "list_comprehension" | "generator_expression" | "dictionary_comprehension" => self.each(node)?,
            "not_operator" => Expression::Not(self.boxed(node, "argument")?),
            "unary_operator" if field(node, "operator")?.kind() == "-" => {
                Expression::Minus(self.boxed(node, "argument")?)
            }
            "boolean_operator" => {
                Expression::Connected { is_and: field(node, "operator")?.kind() == "and", sides: self.sides(node)? }
            }
            "comparison_operator" => self.comparison(node)?,
            "binary_operator" => {
                Expression::Binary { sign: sign(field(node, "operator")?.kind())?, sides: self.sides(node)? }
            }
            "conditional_expression" => {
                let part = |index| self.expression(child(node, index)?);
                Expression::Choice(Box::new([part(0)?, part(1)?, part(2)?]))
            }
            "call" => self.call(node)?,
            "attribute" => Expression::Attribute {
                object: self.boxed(node, "object")?,
                name: self.text(field(node, "attribute")?).into(),
            },
            "subscript" => self.subscript(node)?,
            kind => return Err(unsupported(kind)),
        })
    }

    /// Text without escapes, prefixes and replacement fields.
    fn string(&self, node: Node<'_>) -> Read<Value> {
        let quoted = self.text(node);
        let text = quoted.trim_start_matches("\"\"\"").trim_end_matches("\"\"\"").trim_matches(['\'', '"']);
        let is_plain = quoted.starts_with(['\'', '"']) && !quoted.contains('\\');
        if is_plain { Ok(Value::text(text)) } else { Err(unsupported("string")) }
    }

    fn each(&self, node: Node<'_>) -> Read<Expression> {
        let (key, item) = match field(node, "body")? {
            pair if pair.kind() == "pair" => (Some(self.field(pair, "key")?), self.field(pair, "value")?),
            item => (None, self.expression(item)?),
        };
        let clauses = children(node);
        let loops: Vec<_> = clauses.iter().filter(|clause| clause.kind() == "for_in_clause").collect();
        let [only] = loops[..] else { return Err(unsupported("nested comprehension")) };
        let conditions = clauses.iter().filter(|clause| clause.kind() == "if_clause");
        let conditions = conditions.map(|clause| self.expression(child(*clause, 0)?)).collect::<Read<_>>()?;
        let (target, source) = (self.field(*only, "left")?, self.field(*only, "right")?);
        Ok(Expression::Each(Box::new(Each { key, item, target, source, conditions })))
    }

    fn comparison(&self, node: Node<'_>) -> Read<Expression> {
        let mut cursor = node.walk();
        let signs = node.children_by_field_name("operators", &mut cursor).map(|operator| sign(operator.kind()));
        let signs: Vec<&'static str> = signs.collect::<Read<_>>()?;
        let mut operands = self.all(node)?.into_iter();
        let first = Box::new(operands.next().ok_or_else(|| unsupported("comparison"))?);
        Ok(Expression::Compared { first, rest: signs.into_iter().zip(operands).collect() })
    }

    fn call(&self, node: Node<'_>) -> Read<Expression> {
        let list = field(node, "arguments")?;
        let mut arguments = Vec::new();
        let mut keywords = Vec::new();
        if list.kind() == "generator_expression" {
            arguments.push(self.expression(list)?);
        } else {
            for argument in children(list) {
                if argument.kind() == "keyword_argument" {
                    keywords.push((self.text(field(argument, "name")?).into(), self.field(argument, "value")?));
                } else {
                    arguments.push(self.expression(argument)?);
                }
            }
        }
        let callee = field(node, "function")?;
        match callee.kind() {
            "identifier" => Ok(Expression::Call { name: self.text(callee).into(), arguments, keywords }),
            "attribute" if keywords.is_empty() => Ok(Expression::Method {
                object: self.boxed(callee, "object")?,
                name: self.text(field(callee, "attribute")?).into(),
                arguments,
            }),
            kind => Err(unsupported(kind)),
        }
    }

    fn subscript(&self, node: Node<'_>) -> Read<Expression> {
        let index = field(node, "subscript")?;
        if index.kind() != "slice" {
            return Ok(Expression::Index(Box::new([self.field(node, "value")?, self.expression(index)?])));
        }
        let mut bounds = [const { None }; 3];
        let mut position = 0;
        let mut cursor = index.walk();
        for part in index.children(&mut cursor) {
            match part.kind() {
                ":" => position += 1,
                _ => bounds[position] = Some(Box::new(self.expression(part)?)),
            }
        }
        Ok(Expression::Slice { object: self.boxed(node, "value")?, bounds })
    }
}

/// Named children without comments.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// A sign that evaluation knows.
fn sign(text: &str) -> Read<&'static str> {
    const SIGNS: [&str; 16] =
        ["+", "-", "*", "//", "%", "**", "<", "<=", "==", "!=", ">=", ">", "in", "not in", "is", "is not"];
    SIGNS.into_iter().find(|sign| *sign == text).ok_or_else(|| unsupported(text))
}

fn child(node: Node<'_>, index: u32) -> Read<Node<'_>> {
    node.named_child(index).ok_or_else(|| unsupported(node.kind()))
}

pub(super) fn field<'tree>(node: Node<'tree>, name: &str) -> Read<Node<'tree>> {
    node.child_by_field_name(name).ok_or_else(|| unsupported(node.kind()))
}

fn unsupported(what: &str) -> Stop {
    Stop::Unsupported(what.to_owned())
}
