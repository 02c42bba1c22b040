//! Objects with resource versions, and what happened to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What can be asked for by name.
type Key = (String, String, String);

/// A change of one object.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) what: &'static str,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) object: Value,
}

/// Makes the next call with this method and this text in its address go wrong.
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    pub(crate) address: &'static str,
    pub(crate) effect: Effect,
}

/// How a call goes wrong.
pub(crate) enum Effect {
    /// It is not done, and the answer is this.
    Answer(Value),
    /// It is done, but the answer is lost.
    Lost,
}

impl Fault {
    /// Not done, with this code.
    pub(crate) fn answer(method: &'static str, address: &'static str, code: u16, reason: &str, message: &str) -> Self {
        Self { method, address, effect: Effect::Answer(status(code, reason, message)) }
    }
}

/// Everything that the server knows.
pub(crate) struct Store {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<Change>,
    /// Versions up to here are forgotten.
    pub(crate) forgotten: u64,
    pub(crate) faults: Vec<Fault>,
    /// How many pods there may be.
    pub(crate) quota: Option<usize>,
    /// `verb resource` that the credentials do not allow.
    pub(crate) forbidden: Vec<&'static str>,
    pub(crate) minor: &'static str,
    /// How many watches have begun.
    pub(crate) watches: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            version: 100,
            objects: BTreeMap::new(),
            history: Vec::new(),
            forgotten: 0,
            faults: Vec::new(),
            quota: None,
            forbidden: Vec::new(),
            minor: "36",
            watches: 0,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Takes out the fault for a call, if there is one.
    pub(crate) fn fault(&mut self, method: &str, address: &str) -> Option<Effect> {
        let at = self.faults.iter().position(|fault| fault.method == method && address.contains(fault.address))?;
        Some(self.faults.remove(at).effect)
    }

    /// Forgets what happened, so that watches from an older version are refused.
    pub(crate) fn compact(&mut self) {
        self.forgotten = self.version;
        self.history.clear();
    }

    /// What happened after a version; an error status if that is forgotten.
    pub(crate) fn since(&self, version: u64) -> Result<Vec<Change>, Value> {
        if version < self.forgotten {
            let message = format!("too old resource version: {version} ({})", self.forgotten);
            return Err(status(410, "Expired", &message));
        }
        Ok(self.history.iter().filter(|change| change.version > version).cloned().collect())
    }

    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, Value> {
        self.objects.get(&key(kind, namespace, name)).cloned().ok_or_else(|| missing(kind, name))
    }

    /// The objects that have the labels of a selector.
    pub(crate) fn list(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        let of_kind = self.objects.iter().filter(|((k, n, _), _)| k == kind && n == namespace);
        of_kind.map(|(_, object)| object).filter(|object| selects(selector, object)).cloned().collect()
    }

    pub(crate) fn create(&mut self, kind: &str, namespace: &str, mut object: Value) -> Result<Value, Value> {
        if namespace != super::NAMESPACE {
            return Err(missing("namespaces", namespace));
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if self.objects.contains_key(&key(kind, namespace, &name)) {
            return Err(status(409, "AlreadyExists", &format!("{kind} \"{name}\" already exists")));
        }
        let used = self.list(kind, namespace, "").len();
        if let Some(quota) = self.quota.filter(|quota| kind == "pods" && used >= *quota) {
            let message = format!(
                "pods \"{name}\" is forbidden: exceeded quota: basis, requested: pods=1, used: pods={used}, limited: pods={quota}"
            );
            return Err(status(403, "Forbidden", &message));
        }
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        object["metadata"]["namespace"] = json!(namespace);
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        if kind == "pods" {
            object["status"] = json!({ "phase": "Pending" });
        }
        Ok(self.put("ADDED", kind, namespace, object))
    }

    /// Replaces an object if it is still the version that the caller saw.
    pub(crate) fn replace(&mut self, kind: &str, namespace: &str, name: &str, object: Value) -> Result<Value, Value> {
        let now = self.get(kind, namespace, name)?;
        let seen = &object["metadata"]["resourceVersion"];
        if seen.is_string() && *seen != now["metadata"]["resourceVersion"] {
            let message = format!(
                "Operation cannot be fulfilled on {kind} \"{name}\": the object has been modified; please apply your changes to the \
                 latest version and try again"
            );
            return Err(status(409, "Conflict", &message));
        }
        Ok(self.put("MODIFIED", kind, namespace, object))
    }

    /// Changes an object from the inside of the cluster.
    pub(crate) fn update(&mut self, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        if let Ok(mut object) = self.get(kind, namespace, name) {
            change(&mut object);
            self.put("MODIFIED", kind, namespace, object);
        }
    }

    /// Deletes an object. A pod with time left is only marked; its node removes it.
    pub(crate) fn delete(&mut self, kind: &str, namespace: &str, name: &str, grace: i64) -> Result<Value, Value> {
        let object = self.get(kind, namespace, name)?;
        if kind == "pods" && grace > 0 {
            self.update(kind, namespace, name, |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:01Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            });
            return self.get(kind, namespace, name);
        }
        self.remove(kind, namespace, name);
        Ok(object)
    }

    /// Removes an object, and what it owned.
    pub(crate) fn remove(&mut self, kind: &str, namespace: &str, name: &str) {
        let Some(mut object) = self.objects.remove(&key(kind, namespace, name)) else { return };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let uid = object["metadata"]["uid"].clone();
        let change =
            Change { version: self.version, what: "DELETED", kind: kind.into(), namespace: namespace.into(), object };
        self.history.push(change);
        let owned = |(_, object): &(&Key, &Value)| {
            object["metadata"]["ownerReferences"]
                .as_array()
                .is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
        };
        let keys: Vec<Key> = self.objects.iter().filter(owned).map(|(key, _)| key.clone()).collect();
        for (kind, namespace, name) in keys {
            let _ = self.delete(&kind, &namespace, &name, 1);
        }
    }

    fn put(&mut self, what: &'static str, kind: &str, namespace: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.objects.insert(key(kind, namespace, &name), object.clone());
        let change = Change {
            version: self.version,
            what,
            kind: kind.into(),
            namespace: namespace.into(),
            object: object.clone(),
        };
        self.history.push(change);
        object
    }
}

fn key(kind: &str, namespace: &str, name: &str) -> Key {
    (kind.into(), namespace.into(), name.into())
}

/// Whether an object has all labels of `key=value,…`.
pub(crate) fn selects(selector: &str, object: &Value) -> bool {
    let wanted = selector.split(',').filter_map(|label| label.split_once('='));
    wanted.into_iter().all(|(key, value)| object["metadata"]["labels"][key] == json!(value))
}

/// An answer that something was not done.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

fn missing(kind: &str, name: &str) -> Value {
    status(404, "NotFound", &format!("{kind} \"{name}\" not found"))
}
