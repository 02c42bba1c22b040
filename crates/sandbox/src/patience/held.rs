//! A sandbox that a thread of its own uses, so that whoever asks can stop waiting.

use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::{
    Change, Command, Interrupter, Output, Sandbox, SandboxError, ShellLine, ShellOutput, Sink, Standing, Stream,
};

/// What the thread is told to do.
type Work = Box<dyn FnOnce(&mut dyn Sandbox) + Send>;

/// Pieces of output that may wait for whoever listens.
const PIECES: usize = 64;

/// What comes back of one operation.
enum Said<T> {
    Piece(Stream, Vec<u8>),
    Done(Result<T, SandboxError>),
}

/// See the module.
pub(super) struct Held {
    /// `None` when the sandbox was given up.
    work: Option<mpsc::Sender<Work>>,
    patience: Duration,
    /// The longest that a command may take.
    wall: Duration,
    destroyed: bool,
}

impl Held {
    /// Makes a sandbox on a thread of its own.
    pub(super) fn start(
        patience: Duration,
        wall: Duration,
        create: impl FnOnce() -> Result<Box<dyn Sandbox>, SandboxError> + Send + 'static,
    ) -> Result<Self, SandboxError> {
        let (work, orders) = mpsc::channel::<Work>();
        let (say, said) = mpsc::sync_channel(1);
        let serve = move || {
            let created = create();
            let (made, mut sandbox) = match created {
                Ok(sandbox) => (Ok(()), Some(sandbox)),
                Err(error) => (Err(error), None),
            };
            // Whoever has stopped waiting does not need it: it is dropped, which destroys it.
            if say.send(Said::Done(made)).is_ok()
                && let Some(sandbox) = &mut sandbox
            {
                orders.into_iter().for_each(|work| work(sandbox.as_mut()));
            }
        };
        let started = std::thread::Builder::new().name("sandbox".into()).spawn(serve);
        started.map_err(|error| SandboxError::system("start a thread for a sandbox", error))?;
        let mut held = Self { work: Some(work), patience, wall, destroyed: false };
        held.hear(&said, "is made", Duration::ZERO, &mut |_, _| ())?;
        Ok(held)
    }

    /// Has the thread do something that may take `time`; `what` follows `while it`.
    fn ask<T: Send + 'static>(
        &mut self,
        (what, time): (&str, Duration),
        sink: Sink<'_>,
        work: impl FnOnce(&mut dyn Sandbox, Sink<'_>) -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let (say, said) = mpsc::sync_channel(PIECES);
        let order: Work = Box::new(move |sandbox| {
            // Nobody may listen any more; then nobody needs what is said.
            let done = work(sandbox, &mut |stream, bytes| drop(say.send(Said::Piece(stream, bytes.to_vec()))));
            let _ = say.send(Said::Done(done));
        });
        let given_up = || SandboxError::Lost("it was given up because it had not answered".into());
        self.work.as_ref().ok_or_else(given_up)?.send(order).map_err(|_| gone(what))?;
        self.hear(&said, what, time, sink)
    }

    fn hear<T>(
        &mut self,
        said: &mpsc::Receiver<Said<T>>,
        what: &str,
        time: Duration,
        sink: Sink<'_>,
    ) -> Result<T, SandboxError> {
        let patience = time.saturating_add(self.patience);
        let start = Instant::now();
        loop {
            match said.recv_timeout(patience.saturating_sub(start.elapsed())) {
                Ok(Said::Piece(stream, bytes)) => sink(stream, &bytes),
                Ok(Said::Done(done)) => return done,
                Err(RecvTimeoutError::Disconnected) => return Err(gone(what)),
                Err(RecvTimeoutError::Timeout) => {
                    self.work = None;
                    let waited = patience.as_secs_f64();
                    return Err(SandboxError::Lost(format!("it did not answer within {waited} s while it {what}")));
                }
            }
        }
    }

    fn quietly<T: Send + 'static>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut dyn Sandbox) -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        self.ask((what, Duration::ZERO), &mut |_, _| (), move |sandbox, _| work(sandbox))
    }

    fn time(&self, wall: Option<Duration>) -> Duration {
        wall.unwrap_or(self.wall).min(self.wall)
    }
}

fn gone(what: &str) -> SandboxError {
    SandboxError::Lost(format!("the thread that uses it ended while it {what}"))
}

/// The beginning of a command, for people.
fn shown(argv: &[String]) -> String {
    let line = argv.join(" ").replace('\n', " ");
    let end = line.char_indices().nth(60).map_or(line.len(), |(end, _)| end);
    format!("runs `{}`", &line[..end])
}

// A method that is not forwarded would say that the backend lacks it.
#[deny(clippy::missing_trait_methods)]
impl Sandbox for Held {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        let (command, time) = (command.clone(), self.time(command.wall));
        self.ask((&shown(&command.argv), time), &mut |_, _| (), move |sandbox, _| sandbox.exec(&command))
    }

    fn exec_streaming(&mut self, command: &Command, sink: Sink<'_>) -> Result<Output, SandboxError> {
        let (command, time) = (command.clone(), self.time(command.wall));
        let what = shown(&command.argv);
        self.ask((&what, time), sink, move |sandbox, sink| sandbox.exec_streaming(&command, sink))
    }

    fn shell(&mut self, line: &ShellLine, sink: Sink<'_>) -> Result<ShellOutput, SandboxError> {
        let (line, time) = (line.clone(), self.time(line.wall));
        let what = shown(std::slice::from_ref(&line.text));
        self.ask((&what, time), sink, move |sandbox, sink| sandbox.shell(&line, sink))
    }

    /// Made where the sandbox is not asked for anything, so that it waits for nobody.
    fn interrupter(&self) -> Result<Interrupter, SandboxError> {
        let (say, said) = mpsc::sync_channel(1);
        let order: Work = Box::new(move |sandbox| drop(say.send(sandbox.interrupter())));
        let work = self.work.as_ref().ok_or_else(|| gone("makes an interrupter"))?;
        work.send(order).map_err(|_| gone("makes an interrupter"))?;
        said.recv_timeout(self.patience).map_err(|_| gone("makes an interrupter"))?
    }

    fn listen(&mut self) -> Result<TcpListener, SandboxError> {
        self.quietly("listens", |sandbox| sandbox.listen())
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        let path = path.to_owned();
        self.quietly(&format!("reads `{path}`"), move |sandbox| sandbox.read(&path, max_bytes))
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let (path, bytes) = (path.to_owned(), bytes.to_vec());
        self.quietly(&format!("writes `{path}`"), move |sandbox| sandbox.write(&path, &bytes))
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        self.quietly("ends its processes", |sandbox| sandbox.freeze())
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        self.quietly("lists its changes", |sandbox| sandbox.changes())
    }

    fn fork(&mut self) -> Result<Box<dyn Sandbox>, SandboxError> {
        let (patience, wall) = (self.patience, self.wall);
        let forked = self.quietly("is forked", |sandbox| sandbox.fork())?;
        Ok(Box::new(Self::start(patience, wall, move || Ok(forked))?))
    }

    fn snapshot(&mut self, layer: &Path) -> Result<(), SandboxError> {
        let layer = layer.to_owned();
        self.quietly("becomes a layer", move |sandbox| sandbox.snapshot(&layer))
    }

    fn standing(&mut self) -> Result<Option<Standing>, SandboxError> {
        self.quietly("is looked at", |sandbox| sandbox.standing())
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        if self.destroyed {
            return Ok(());
        }
        self.destroyed = true;
        self.quietly("is destroyed", |sandbox| sandbox.destroy())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whoever gave it room must find it gone. One that was given up dies when it answers.
        let _ = self.destroy();
    }
}
