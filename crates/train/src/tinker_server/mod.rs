//! A Tinker server over an engine of ours: the official client, and our own, train and sample through it.
//!
//! `routes` answers requests at once or with a promise; `worker` keeps the promises, one after the other, as the engine can do one thing at
//! a time. Samples that wait together are sampled together. There is one set of weights: one model at a time is in training. Samplers of
//! weights that have changed since are read back from disk, and the weights in training after them.

mod promises;
mod routes;
mod worker;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use basis_gym::serve::{Handler, Request, Response};

use crate::engines::{Engine, EngineError};
use promises::Promises;
use worker::Job;

/// What the server tells about its model, and where it keeps weights.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The name of the model that it offers.
    pub model: String,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Ids after which sampling ends when a request names none.
    pub stop: Vec<u32>,
    /// An empty directory for weights.
    pub directory: PathBuf,
}

/// See the module.
pub struct Server {
    config: ServerConfig,
    promises: Promises,
    /// To the engine; closed when the server has been used.
    jobs: Mutex<Option<Sender<Job>>>,
    known: Mutex<routes::Known>,
}

/// Runs `body` with a server whose promises `engine` keeps on a thread of its own.
///
/// # Errors
/// When the weights to begin with cannot be kept.
pub fn with_server<T>(
    engine: &mut dyn Engine,
    config: ServerConfig,
    body: impl FnOnce(&Server) -> T,
) -> Result<T, EngineError> {
    let (jobs, work) = channel();
    let mut worker = worker::Worker::new(engine, &config)?;
    let server =
        Server { config, promises: Promises::default(), jobs: Mutex::new(Some(jobs)), known: Mutex::default() };
    Ok(std::thread::scope(|scope| {
        let promises = &server.promises;
        scope.spawn(move || worker.run(&work, promises));
        let _guard = Close(&server);
        body(&server)
    }))
}

/// However those who ask end, the thread of the engine ends too.
struct Close<'a>(&'a Server);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

impl Handler for Server {
    fn handle(&self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|refusal| refusal)
    }
}
