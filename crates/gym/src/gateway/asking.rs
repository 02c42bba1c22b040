//! One turn that was asked for: sampled, kept in its session, and told as a whole or while it is sampled.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::dialects::{About, Answer, Asked, Dialect, Event};
use super::lock;
use super::session::Session;
use super::upstream::{Ask, Turn, Upstream, UpstreamError};
use crate::serve::Events;

/// See the module.
pub(super) struct Asking {
    pub(super) upstream: Arc<dyn Upstream>,
    pub(super) session: Arc<Mutex<Session>>,
    /// The name of the answer.
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) asked: Asked,
}

impl Asking {
    /// The whole answer.
    pub(super) fn whole(&self, dialect: &Dialect) -> Result<Value, UpstreamError> {
        let model = self.upstream.model();
        let (turn, chain) = self.keep(|ask| self.upstream.chat(ask))?;
        Ok((dialect.answer)(&Answer { about: self.about(&model), turn: &turn, chain: chain.as_deref() }))
    }

    /// Sends the answer as events while it is sampled. An error before the first of them is returned, a later one is an event.
    pub(super) fn tell(&self, dialect: &Dialect, out: &mut Events<'_>) -> io::Result<Option<UpstreamError>> {
        let model = self.upstream.model();
        let about = self.about(&model);
        let mut teller = Teller { dialect, out, number: 0 };
        let mut told = String::new();
        // Whoever goes away does not end the turn: it is kept as it would have been.
        let mut sent = Ok(());
        let outcome = self.keep(|ask| {
            self.upstream.chat_telling(ask, &mut |text| {
                if sent.is_ok() && !text.is_empty() {
                    let mut events = if told.is_empty() { (dialect.begin)(&about, 0) } else { Vec::new() };
                    events.extend((dialect.say)(&about, text, told.is_empty()));
                    sent = teller.send(events);
                }
                told += text;
            })
        });
        let events = match outcome {
            Err(error) if told.is_empty() => return Ok(Some(error)),
            Err(error) => (dialect.broken)(&error.message),
            Ok((turn, chain)) => {
                sent?;
                let mut events = if told.is_empty() { (dialect.begin)(&about, turn.usage.0) } else { Vec::new() };
                let answer = Answer { about, turn: &turn, chain: chain.as_deref() };
                events.extend((dialect.end)(&answer, &told));
                events
            }
        };
        teller.send(events).map(|()| None)
    }

    /// Samples a turn and keeps it; says the head of its chain.
    fn keep(
        &self,
        sample: impl FnOnce(&Ask<'_>) -> Result<Turn, UpstreamError>,
    ) -> Result<(Turn, Option<String>), UpstreamError> {
        let Asked { messages, tools, sampling, .. } = &self.asked;
        // Not locked while it is sampled: branches of one session may go on at the same time.
        let (known, covered) = lock(&self.session).known(messages);
        let turn = sample(&Ask { messages, tools, known: &known, covered, sampling })?;
        let chain = lock(&self.session).keep(&self.id, messages, &turn);
        Ok((turn, chain))
    }

    fn about<'a>(&'a self, model: &'a str) -> About<'a> {
        About { id: &self.id, model, created: self.created, asked: &self.asked }
    }
}

/// Numbers events and sends them.
struct Teller<'a, 'b> {
    dialect: &'a Dialect,
    out: &'a mut Events<'b>,
    number: usize,
}

impl Teller<'_, '_> {
    fn send(&mut self, events: Vec<Event>) -> io::Result<()> {
        events.into_iter().try_for_each(|event| {
            let (kind, data) = (self.dialect.write)(event, self.number);
            self.number += 1;
            self.out.send(kind, &data)
        })
    }
}
