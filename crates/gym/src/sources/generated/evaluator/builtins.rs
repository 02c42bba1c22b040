//! Built-in functions.

use std::rc::Rc;

use super::methods::python_text;
use super::value::{Stop, Value};

/// Calls a built-in; the keywords `reverse` of `sorted` and `default` of `min` and `max` are known.
pub(super) fn call(name: &str, arguments: &[Value], keywords: &[(Rc<str>, Value)]) -> Result<Value, Stop> {
    let keyword = |wanted: &str| keywords.iter().find(|(name, _)| &**name == wanted).map(|(_, value)| value);
    let known = match name {
        "sorted" => keyword("reverse").is_some(),
        "min" | "max" => keyword("default").is_some(),
        _ => false,
    };
    if keywords.len() > usize::from(known) {
        return Err(Stop::Unsupported(format!("keyword of {name}")));
    }
    Ok(match (name, arguments) {
        ("len", [value]) => Value::Int(length(&value.items()?)),
        ("abs", [value]) => Value::Int(value.number()?.abs()),
        ("int", [Value::Text(text)]) => Value::Int(text.trim().parse().map_err(|_| Stop::Raised)?),
        ("int", [value]) => Value::Int(value.number()?),
        ("bool", [value]) => Value::Bool(value.is_true()),
        ("str", [value]) => Value::text(&python_text(value)),
        ("list", []) => Value::list(Vec::new()),
        ("list", [value]) => Value::list(value.items()?),
        ("tuple", [value]) => Value::Tuple(value.items()?.into()),
        ("dict", []) => Value::dict(Vec::new()),
        ("dict", [value @ Value::Dict(_)]) => shallow(value),
        ("ord", [Value::Text(text)]) if text.chars().count() == 1 => {
            Value::Int(text.chars().map(|letter| i64::from(u32::from(letter))).sum())
        }
        ("chr", [value]) => {
            let letter = u32::try_from(value.number()?).ok().and_then(char::from_u32).ok_or(Stop::Raised)?;
            Value::text(letter.encode_utf8(&mut [0; 4]))
        }
        ("any", [value]) => Value::Bool(value.items()?.iter().any(Value::is_true)),
        ("all", [value]) => Value::Bool(value.items()?.iter().all(Value::is_true)),
        ("sum", [value]) => sum(&value.items()?, 0)?,
        ("sum", [value, start]) => sum(&value.items()?, start.number()?)?,
        ("sorted", [value]) => Value::list(sorted(value.items()?, keyword("reverse").is_some_and(Value::is_true))?),
        ("reversed", [value]) => Value::list(value.items()?.into_iter().rev().collect()),
        ("range", bounds) => range(bounds)?,
        ("enumerate", [value]) => enumerate(&value.items()?, 0),
        ("enumerate", [value, start]) => enumerate(&value.items()?, start.number()?),
        ("zip", [left, right]) => {
            let pairs = left.items()?.into_iter().zip(right.items()?);
            Value::list(pairs.map(|(left, right)| Value::Tuple([left, right].into())).collect())
        }
        ("min" | "max", [value]) => extreme(name, value.items()?, keyword("default"))?,
        ("min" | "max", [_, _, ..]) => extreme(name, arguments.to_vec(), None)?,
        ("len" | "abs" | "int" | "str" | "list" | "sum" | "sorted" | "any" | "all" | "ord" | "min" | "max", _) => {
            return Err(Stop::Raised);
        }
        _ => return Err(Stop::Unsupported(name.to_owned())),
    })
}

fn length(items: &[Value]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn shallow(dict: &Value) -> Value {
    match dict {
        Value::Dict(pairs) => Value::dict(pairs.borrow().clone()),
        other => other.clone(),
    }
}

fn sum(items: &[Value], start: i64) -> Result<Value, Stop> {
    let add = |total: i64, item: &Value| total.checked_add(item.number()?).ok_or(Stop::TooLong);
    items.iter().try_fold(start, add).map(Value::Int)
}

/// Stable, also when reversed; raises where two items have no order.
pub(super) fn sorted(mut items: Vec<Value>, reverse: bool) -> Result<Vec<Value>, Stop> {
    for pair in items.windows(2) {
        pair[0].order(&pair[1])?;
    }
    items.sort_by(|left, right| {
        let order = left.order(right).unwrap_or(std::cmp::Ordering::Equal);
        if reverse { order.reverse() } else { order }
    });
    Ok(items)
}

fn range(bounds: &[Value]) -> Result<Value, Stop> {
    let bounds = bounds.iter().map(Value::number).collect::<Result<Vec<_>, _>>()?;
    let (start, end, step) = match bounds[..] {
        [end] => (0, end, 1),
        [start, end] => (start, end, 1),
        [start, end, step] if step != 0 => (start, end, step),
        _ => return Err(Stop::Raised),
    };
    let mut made = Vec::new();
    let mut at = start;
    while if step < 0 { at > end } else { at < end } {
        if made.len() > 2_000 {
            return Err(Stop::TooLong);
        }
        made.push(Value::Int(at));
        at += step;
    }
    Ok(Value::list(made))
}

fn enumerate(items: &[Value], start: i64) -> Value {
    let pair = |(item, index): (&Value, i64)| Value::Tuple([Value::Int(index), item.clone()].into());
    Value::list(items.iter().zip(start..).map(pair).collect())
}

/// The first of the smallest or largest items.
fn extreme(name: &str, items: Vec<Value>, default: Option<&Value>) -> Result<Value, Stop> {
    let mut items = items.into_iter();
    let Some(mut best) = items.next() else { return default.cloned().ok_or(Stop::Raised) };
    for item in items {
        let order = item.order(&best)?;
        if if name == "min" { order.is_lt() } else { order.is_gt() } {
            best = item;
        }
    }
    Ok(best)
}
