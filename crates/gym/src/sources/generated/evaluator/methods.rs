//! Methods of text, lists and dictionaries.

use std::cell::RefCell;

use super::builtins::sorted;
use super::operations::{concatenated, position, set_item};
use super::value::{Stop, Value};

/// Calls a method of a built-in value.
pub(super) fn call(object: &Value, name: &str, arguments: &[Value]) -> Result<Value, Stop> {
    match object {
        Value::Text(text) => of_text(text, name, arguments),
        Value::List(items) => of_list(items, name, arguments),
        Value::Dict(pairs) => of_dict(object, pairs, name, arguments),
        _ => Err(Stop::Raised),
    }
}

/// What `str` gives.
pub(super) fn python_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}

fn of_text(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Stop> {
    let all = |test: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(test));
    let at = |found: Option<usize>| found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1);
    Ok(match (name, arguments) {
        ("upper", []) => Value::text(&text.to_uppercase()),
        ("lower", []) => Value::text(&text.to_lowercase()),
        ("strip", []) => Value::text(text.trim()),
        ("lstrip", []) => Value::text(text.trim_start()),
        ("rstrip", []) => Value::text(text.trim_end()),
        ("strip", [Value::Text(set)]) => Value::text(text.trim_matches(|letter| set.contains(letter))),
        ("lstrip", [Value::Text(set)]) => Value::text(text.trim_start_matches(|letter| set.contains(letter))),
        ("rstrip", [Value::Text(set)]) => Value::text(text.trim_end_matches(|letter| set.contains(letter))),
        ("split" | "rsplit", []) => texts(text.split_whitespace()),
        ("split" | "rsplit", [Value::Text(mark)]) if !mark.is_empty() => texts(text.split(&**mark)),
        ("join", [values]) => joined(text, &values.items()?)?,
        ("replace", [Value::Text(old), Value::Text(new)]) if !old.is_empty() => Value::text(&text.replace(&**old, new)),
        ("startswith", [Value::Text(part)]) => Value::Bool(text.starts_with(&**part)),
        ("endswith", [Value::Text(part)]) => Value::Bool(text.ends_with(&**part)),
        ("find", [Value::Text(part)]) => Value::Int(at(text.find(&**part))),
        ("rfind", [Value::Text(part)]) => Value::Int(at(text.rfind(&**part))),
        ("index", [Value::Text(part)]) => Value::Int(at(Some(text.find(&**part).ok_or(Stop::Raised)?))),
        ("rindex", [Value::Text(part)]) => Value::Int(at(Some(text.rfind(&**part).ok_or(Stop::Raised)?))),
        ("count", [Value::Text(part)]) if !part.is_empty() => Value::Int(at(Some(text.matches(&**part).count()))),
        ("isdigit", []) => all(|letter| letter.is_ascii_digit()),
        ("isalpha", []) => all(char::is_alphabetic),
        ("isupper", []) => Value::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)),
        ("islower", []) => Value::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)),
        ("zfill", [width]) => padded(text, width, '0', true)?,
        ("rjust", [width, Value::Text(fill)]) => padded(text, width, only(fill)?, true)?,
        ("ljust", [width, Value::Text(fill)]) => padded(text, width, only(fill)?, false)?,
        ("rjust", [width]) => padded(text, width, ' ', true)?,
        ("ljust", [width]) => padded(text, width, ' ', false)?,
        ("replace" | "count" | "split" | "find" | "startswith" | "endswith", [_, ..]) => return Err(unknown(name)),
        ("append" | "extend" | "values" | "keys" | "items" | "get" | "setdefault", _) => return Err(Stop::Raised),
        _ => return Err(unknown(name)),
    })
}

fn of_list(items: &RefCell<Vec<Value>>, name: &str, arguments: &[Value]) -> Result<Value, Stop> {
    let find = |wanted: &Value| items.borrow().iter().position(|item| item.equals(wanted));
    match (name, arguments) {
        ("append", [value]) => items.borrow_mut().push(value.clone()),
        ("extend", [values]) => {
            let values = values.items()?;
            items.borrow_mut().extend(values);
        }
        ("insert", [index, value]) => {
            let length = items.borrow().len();
            let at = index.number()?;
            let at = if at < 0 { at + i64::try_from(length).map_err(|_| Stop::TooLong)? } else { at };
            items.borrow_mut().insert(usize::try_from(at).unwrap_or(0).min(length), value.clone());
        }
        ("pop", []) => return items.borrow_mut().pop().ok_or(Stop::Raised),
        ("pop", [index]) => {
            let at = position(index, items.borrow().len())?;
            return Ok(items.borrow_mut().remove(at));
        }
        ("remove", [value]) => {
            let at = find(value).ok_or(Stop::Raised)?;
            items.borrow_mut().remove(at);
        }
        ("index", [value]) => {
            let at = find(value).ok_or(Stop::Raised)?;
            return i64::try_from(at).map(Value::Int).map_err(|_| Stop::TooLong);
        }
        ("count", [value]) => {
            let count = items.borrow().iter().filter(|item| item.equals(value)).count();
            return i64::try_from(count).map(Value::Int).map_err(|_| Stop::TooLong);
        }
        ("reverse", []) => items.borrow_mut().reverse(),
        ("sort", []) => {
            let ordered = sorted(items.borrow().clone(), false)?;
            *items.borrow_mut() = ordered;
        }
        ("rindex" | "discard" | "popleft" | "appendleft" | "append" | "extend" | "lower" | "upper", _) => {
            return Err(Stop::Raised);
        }
        _ => return Err(unknown(name)),
    }
    Ok(Value::None)
}

fn of_dict(
    object: &Value,
    pairs: &RefCell<Vec<(Value, Value)>>,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Stop> {
    let get =
        |wanted: &Value| pairs.borrow().iter().find(|(key, _)| key.equals(wanted)).map(|(_, value)| value.clone());
    Ok(match (name, arguments) {
        ("get", [key]) => get(key).unwrap_or(Value::None),
        ("get", [key, default]) => get(key).unwrap_or_else(|| default.clone()),
        ("setdefault", [key, default]) => match get(key) {
            Some(value) => value,
            None => {
                set_item(object, key.clone(), default.clone())?;
                default.clone()
            }
        },
        ("pop", [key, rest @ ..]) => {
            let at = pairs.borrow().iter().position(|(known, _)| known.equals(key));
            match (at, rest) {
                (Some(at), _) => pairs.borrow_mut().remove(at).1,
                (None, [default]) => default.clone(),
                _ => return Err(Stop::Raised),
            }
        }
        ("keys", []) => Value::list(object.items()?),
        ("values", []) => Value::list(pairs.borrow().iter().map(|(_, value)| value.clone()).collect()),
        ("items", []) => {
            let pair = |(key, value): &(Value, Value)| Value::Tuple([key.clone(), value.clone()].into());
            Value::list(pairs.borrow().iter().map(pair).collect())
        }
        _ => return Err(unknown(name)),
    })
}

fn texts<'text>(parts: impl Iterator<Item = &'text str>) -> Value {
    Value::list(parts.map(Value::text).collect())
}

fn joined(mark: &str, parts: &[Value]) -> Result<Value, Stop> {
    if !parts.iter().all(|part| matches!(part, Value::Text(_))) {
        return Err(Stop::Raised);
    }
    let with_marks: Vec<Value> = parts
        .iter()
        .enumerate()
        .flat_map(|(at, part)| [Value::text(if at > 0 { mark } else { "" }), part.clone()])
        .collect();
    Ok(Value::text(&concatenated(&with_marks)))
}

fn padded(text: &str, width: &Value, fill: char, on_left: bool) -> Result<Value, Stop> {
    let missing = usize::try_from(width.number()?.min(100)).unwrap_or(0).saturating_sub(text.chars().count());
    let padding: String = std::iter::repeat_n(fill, missing).collect();
    Ok(Value::text(&if on_left { padding + text } else { text.to_owned() + &padding }))
}

fn only(fill: &str) -> Result<char, Stop> {
    let mut letters = fill.chars();
    letters.next().filter(|_| letters.next().is_none()).ok_or(Stop::Raised)
}

fn unknown(name: &str) -> Stop {
    Stop::Unsupported(format!("method {name}"))
}
