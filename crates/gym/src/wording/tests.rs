//! A model behind a real server on the loopback device, which plays back what it was given.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::Wording;
use crate::draft;
use crate::policy::http::HttpConfig;
use crate::record::Words;
use crate::serve::{Handler, Listener, Request, Response, serve};
use crate::testkit;

/// Answers each request with what `write` makes of its first one.
struct Model<'a> {
    write: &'a (dyn Fn(&str) -> String + Sync),
    seen: Mutex<Vec<Value>>,
}

impl Handler for Model<'_> {
    fn handle(&self, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        // Behind the system's message; what was wrong with an answer comes after it.
        let text = (self.write)(body["messages"][1]["content"].as_str().expect("text"));
        self.seen.lock().expect("no panic").push(body.clone());
        let usage = json!({"prompt_tokens": 30, "completion_tokens": 12});
        Response::json(200, &json!({"choices": [{"message": {"content": text}}], "usage": usage}))
    }
}

/// Stops the server when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `body` with the address of a server that answers so; the requests come back.
fn served(write: &(dyn Fn(&str) -> String + Sync), body: impl FnOnce(&str)) -> Vec<Value> {
    let model = Model { write, seen: Mutex::default() };
    let listener = Listener::tcp("127.0.0.1:0").expect("loopback is there");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&listener, &model, &stop).expect("the socket works"));
        // Also when the body panics: the scope waits for the server.
        let _stop = Stop(&stop);
        body(&format!("{}/v1", listener.address()));
    });
    model.seen.into_inner().expect("no panic")
}

/// The text that stands below the request.
fn template(asked: &str) -> &str {
    asked.split_once("\n\n").expect("a template below").1
}

#[test]
fn what_a_model_writes_is_kept_if_it_holds_and_replayed_without_a_server() {
    let (directory, workshop) = testkit::workshop();
    let mut record = testkit::record(&workshop);
    let cache = directory.path().join("texts");
    let write = |asked: &str| match asked {
        asked if asked.contains("bug report") => format!("While making a chart I noticed this. {}", template(asked)),
        asked if asked.contains("instruction") => format!("Could you do this, please? {}", template(asked)),
        // The function as it is, and with two mistakes.
        asked => [("", ""), ("low:", "low + 1:"), ("value > high", "value > high + 1")]
            .map(|(from, to)| template(asked).replacen(from, to, 1))
            .join("\n"),
    };
    let mut address = String::new();
    let requests = served(&write, |url| {
        address = url.to_owned();
        let wording = Wording::open(&HttpConfig::new(url, "small"), cache.clone()).expect("an address");
        record.words = wording.words(&workshop, &record).expect("the server answers");
        let tally = wording.tally();
        assert_eq!((tally.kept, tally.asked, tally.read, tally.written), (4, 3, 90, 36), "{tally:?}");
        assert_eq!(tally.refused, ["it is the same code"]);
    });
    assert_eq!(requests.len(), 3);
    let (issue, call) = record.words.issue.clone().expect("an issue");
    assert!(issue.starts_with("While making a chart") && issue.contains(&call), "{issue}");
    assert!(record.words.instruction.as_deref().is_some_and(|it| it.starts_with("Could you do this")));
    let mistakes = &record.words.mistakes;
    assert!(mistakes.iter().all(|it| it.function == record.change.main().function && it.operator == "proposed"));
    // Skills take these words.
    let told = draft::issue(&record, &mut ChaCha8Rng::seed_from_u64(3)).expect("an issue");
    assert_eq!((told.text, told.call), (issue, call));
    // Nobody listens there any more.
    let again = Wording::open(&HttpConfig::new(&address, "small"), cache).expect("an address");
    let plain = crate::record::BugRecord { words: Words::default(), ..record.clone() };
    assert_eq!(again.words(&workshop, &plain).expect("no server is needed"), record.words);
    assert_eq!((again.tally().asked, again.tally().replayed), (0, 3));
}

#[test]
fn what_tells_more_or_says_something_else_is_refused_twice_and_the_template_stays() {
    let (directory, workshop) = testkit::workshop();
    let record = testkit::record(&workshop);
    let check = |name: &str, write: &(dyn Fn(&str) -> String + Sync), reason: &str| {
        let requests = served(write, |url| {
            let wording =
                Wording::open(&HttpConfig::new(url, "small"), directory.path().join(name)).expect("an address");
            assert_eq!(wording.words(&workshop, &record).expect("the server answers").issue, None, "{name}");
            let refused = wording.tally().refused;
            assert!(refused.iter().any(|it| it.contains(reason)), "{name}: {refused:?}");
        });
        // The second request says what was wrong with the first answer.
        assert!(requests.iter().any(|it| it["messages"].to_string().contains("That cannot be used")), "{name}");
    };
    check("empty", &|_| String::new(), "0 bytes");
    check("vague", &|_| "Something is off.".to_owned(), "is missing");
    check("path", &|asked| format!("{} It is in limits.py.", template(asked)), "it names `limits.py`");
    check("other", &|asked| format!("{} So does `cap_value(1, 2, 3)`.", template(asked)), "it shows other code");
    check("test", &|asked| format!("{} See `test_cap_value_1`.", template(asked)), "test_cap_value_1");
}
