//! Signs, comparisons, indexes and slices.

use super::value::{Stop, Value};

/// Text and lists longer than this are a mistake.
const LONGEST: i64 = 1_000;

/// `left sign right` with an arithmetic sign.
pub(super) fn binary(sign: &str, left: &Value, right: &Value) -> Result<Value, Stop> {
    match (sign, left, right) {
        ("+", Value::Text(left), Value::Text(right)) => Ok(Value::text(&format!("{left}{right}"))),
        ("+", Value::List(left), Value::List(right)) => {
            Ok(Value::list(left.borrow().iter().chain(right.borrow().iter()).cloned().collect()))
        }
        ("+", Value::Tuple(left), Value::Tuple(right)) => {
            Ok(Value::Tuple(left.iter().chain(right.iter()).cloned().collect()))
        }
        ("*", Value::Text(_) | Value::List(_), _) => repeated(left, right.number()?),
        ("*", _, Value::Text(_) | Value::List(_)) => repeated(right, left.number()?),
        _ => numbers(sign, left.number()?, right.number()?).map(Value::Int),
    }
}

fn numbers(sign: &str, left: i64, right: i64) -> Result<i64, Stop> {
    let checked = match sign {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "//" | "%" if right == 0 => return Err(Stop::Raised),
        "//" => Some(left.div_euclid(right) - i64::from(right < 0 && left.rem_euclid(right) != 0)),
        "%" => Some(left - right * numbers("//", left, right)?),
        "**" => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        _ => return Err(Stop::Unsupported(sign.to_owned())),
    };
    checked.ok_or(Stop::TooLong)
}

fn repeated(sequence: &Value, times: i64) -> Result<Value, Stop> {
    let items = sequence.items()?;
    let times = usize::try_from(times.min(LONGEST)).unwrap_or(0);
    let made: Vec<Value> = std::iter::repeat_n(items, times).flatten().collect();
    Ok(like(sequence, made))
}

/// Items as the same kind of sequence.
fn like(sequence: &Value, items: Vec<Value>) -> Value {
    match sequence {
        Value::Text(_) => Value::text(&concatenated(&items)),
        Value::Tuple(_) => Value::Tuple(items.into()),
        _ => Value::list(items),
    }
}

/// Texts one after another.
pub(super) fn concatenated(items: &[Value]) -> String {
    items.iter().filter_map(|item| if let Value::Text(text) = item { Some(&**text) } else { None }).collect()
}

/// `left sign right` with a comparison.
pub(super) fn compare(sign: &str, left: &Value, right: &Value) -> Result<bool, Stop> {
    Ok(match sign {
        "==" => left.equals(right),
        "!=" => !left.equals(right),
        "is" => is_same(left, right)?,
        "is not" => !is_same(left, right)?,
        "in" => contains(right, left)?,
        "not in" => !contains(right, left)?,
        "<" => left.order(right)?.is_lt(),
        "<=" => left.order(right)?.is_le(),
        ">" => left.order(right)?.is_gt(),
        ">=" => left.order(right)?.is_ge(),
        _ => return Err(Stop::Unsupported(sign.to_owned())),
    })
}

fn is_same(left: &Value, right: &Value) -> Result<bool, Stop> {
    match (left, right) {
        (Value::None, Value::None) => Ok(true),
        (Value::None, _) | (_, Value::None) => Ok(false),
        _ => Err(Stop::Unsupported("identity".to_owned())),
    }
}

fn contains(container: &Value, wanted: &Value) -> Result<bool, Stop> {
    match (container, wanted) {
        (Value::Text(text), Value::Text(part)) => Ok(text.contains(&**part)),
        (Value::Text(_), _) => Err(Stop::Raised),
        _ => Ok(container.items()?.iter().any(|item| item.equals(wanted))),
    }
}

/// `object[index]`.
pub(super) fn item(object: &Value, index: &Value) -> Result<Value, Stop> {
    if let Value::Dict(pairs) = object {
        let pairs = pairs.borrow();
        return pairs.iter().find(|(key, _)| key.equals(index)).map(|(_, value)| value.clone()).ok_or(Stop::Raised);
    }
    let items = object.items()?;
    Ok(items[position(index, items.len())?].clone())
}

/// `object[index] = value`.
pub(super) fn set_item(object: &Value, index: Value, value: Value) -> Result<(), Stop> {
    match object {
        Value::Dict(pairs) => {
            if matches!(index, Value::List(_) | Value::Dict(_)) {
                return Err(Stop::Raised);
            }
            let mut pairs = pairs.borrow_mut();
            match pairs.iter_mut().find(|(key, _)| key.equals(&index)) {
                Some((_, old)) => *old = value,
                None => pairs.push((index, value)),
            }
        }
        Value::List(items) => {
            let mut items = items.borrow_mut();
            let position = position(&index, items.len())?;
            items[position] = value;
        }
        _ => return Err(Stop::Raised),
    }
    Ok(())
}

/// The position that an index means in a sequence of `length` items.
pub(super) fn position(index: &Value, length: usize) -> Result<usize, Stop> {
    let length = i64::try_from(length).map_err(|_| Stop::TooLong)?;
    let index = index.number()?;
    let position = if index < 0 { index + length } else { index };
    if (0..length).contains(&position) {
        usize::try_from(position).map_err(|_| Stop::Raised)
    } else {
        Err(Stop::Raised)
    }
}

/// `object[start:end:step]`.
pub(super) fn slice(object: &Value, [start, end, step]: [Option<i64>; 3]) -> Result<Value, Stop> {
    if matches!(object, Value::Dict(_)) {
        return Err(Stop::Raised);
    }
    let items = object.items()?;
    let length = i64::try_from(items.len()).map_err(|_| Stop::TooLong)?;
    let step = step.unwrap_or(1);
    let from_end = |bound: i64| if bound < 0 { bound + length } else { bound };
    let (low, high) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let start = start.map_or(if step < 0 { high } else { low }, |bound| from_end(bound).clamp(low, high));
    let end = end.map_or(if step < 0 { low } else { high }, |bound| from_end(bound).clamp(low, high));
    if step == 0 {
        return Err(Stop::Raised);
    }
    let mut made = Vec::new();
    let mut at = start;
    while if step < 0 { at > end } else { at < end } {
        made.extend(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned());
        at += step;
    }
    Ok(like(object, made))
}
