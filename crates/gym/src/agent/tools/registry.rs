//! What a tool looks like to a model, and how its JSON arguments become a [`ToolCall`].

use serde_json::{Map, Value, json};

use super::ALL;
use crate::episode::ToolCall;

/// One tool as models see it. All parameters are mandatory strings.
#[derive(Debug)]
pub struct Tool {
    /// The name that a call gives.
    pub name: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    /// Names and descriptions of its parameters.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Makes the call from one value per parameter, in order.
    pub(super) call: fn(Vec<String>) -> ToolCall,
}

impl Tool {
    /// JSON schema of the arguments.
    pub fn schema(&self) -> Value {
        let property =
            |(name, text): &(&str, &str)| ((*name).to_owned(), json!({"type": "string", "description": text}));
        let names: Vec<&str> = self.parameters.iter().map(|(name, _)| *name).collect();
        json!({
            "type": "object",
            "properties": self.parameters.iter().map(property).collect::<Map<_, _>>(),
            "required": names,
            "additionalProperties": false,
        })
    }
}

/// The names of all tools, for messages.
pub fn names() -> String {
    ALL.map(|tool| format!("`{}`", tool.name)).join(" or ")
}

/// Makes a call from the name and the arguments that a model gave.
///
/// # Errors
/// A line for the model that names what is wrong and what was expected.
pub fn parse(name: &str, arguments: &Value) -> Result<ToolCall, String> {
    let tool = ALL.into_iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| format!("there is no tool `{name}`, only {}", names()))?;
    let object = arguments.as_object().ok_or_else(|| format!("the arguments of `{name}` are not a JSON object"))?;
    let is_known = |key: &str| tool.parameters.iter().any(|(parameter, _)| *parameter == key);
    if let Some(key) = object.keys().find(|key| !is_known(key)) {
        return Err(format!("`{name}` takes no argument `{key}`"));
    }
    let value = |(parameter, _): &(&str, &str)| match object.get(*parameter) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("argument `{parameter}` of `{name}` is not a string")),
        None => Err(format!("`{name}` needs the argument `{parameter}`")),
    };
    Ok((tool.call)(tool.parameters.iter().map(value).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_from_its_arguments() {
        let call = parse("bash", &json!({"command": "ls"}));
        assert_eq!(call, Ok(ToolCall::Bash { command: "ls".into() }));
        let call = parse("str_replace", &json!({"new": "b", "old": "a", "path": "x.py"}));
        assert_eq!(call, Ok(ToolCall::StrReplace { path: "x.py".into(), old: "a".into(), new: "b".into() }));
    }

    #[test]
    fn a_wrong_call_names_what_is_wrong() {
        let wrong = |name, arguments| parse(name, &arguments).expect_err("the call is wrong");
        assert_eq!(wrong("python", json!({})), "there is no tool `python`, only `bash` or `str_replace`");
        assert_eq!(wrong("bash", json!(["ls"])), "the arguments of `bash` are not a JSON object");
        assert_eq!(wrong("bash", json!({"cmd": "ls"})), "`bash` takes no argument `cmd`");
        assert_eq!(wrong("bash", json!({"command": 7})), "argument `command` of `bash` is not a string");
        assert_eq!(wrong("str_replace", json!({"path": "x", "new": ""})), "`str_replace` needs the argument `old`");
    }

    #[test]
    fn the_schema_lists_every_parameter_as_required() {
        let schema = ALL[1].schema();
        assert_eq!(schema["required"], json!(["path", "old", "new"]));
        assert_eq!(schema["properties"]["old"]["type"], "string");
    }
}
