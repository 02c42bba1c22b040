//! A sandbox that was handed out: it holds its room until it is destroyed, and waits for a turn with each command.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use super::Rooms;
use super::budget::Share;
use crate::{Change, Command, Interrupter, Output, Sandbox, SandboxError, ShellLine, ShellOutput, Sink, Standing};

/// How long somebody who has room may wait for more: others may do the same, and then nobody gets any.
const PATIENCE_WITH_ROOM: Duration = Duration::from_secs(60);

/// A sandbox with its room.
pub(super) struct Lent {
    /// Before the room: what is given back must be free.
    sandbox: Box<dyn Sandbox>,
    room: Option<Share>,
    memory_bytes: u64,
    rooms: Rooms,
}

impl Lent {
    pub(super) fn new(sandbox: Box<dyn Sandbox>, room: Share, rooms: Rooms) -> Self {
        Self { sandbox, memory_bytes: room.amount(), room: Some(room), rooms }
    }

    /// Waits for a turn. The time of the command begins after it.
    fn turn(&self) -> Result<Share, SandboxError> {
        let full = || SandboxError::Lost("no turn for a command in all this time".into());
        self.rooms.commands.take(1, super::PATIENCE).ok_or_else(full)
    }
}

// A method that is not forwarded would say that the backend lacks it.
#[deny(clippy::missing_trait_methods)]
impl Sandbox for Lent {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        let _turn = self.turn()?;
        self.sandbox.exec(command)
    }

    fn exec_streaming(&mut self, command: &Command, sink: Sink<'_>) -> Result<Output, SandboxError> {
        let _turn = self.turn()?;
        self.sandbox.exec_streaming(command, sink)
    }

    fn shell(&mut self, line: &ShellLine, sink: Sink<'_>) -> Result<ShellOutput, SandboxError> {
        let _turn = self.turn()?;
        self.sandbox.shell(line, sink)
    }

    fn interrupter(&self) -> Result<Interrupter, SandboxError> {
        self.sandbox.interrupter()
    }

    fn listen(&mut self) -> Result<TcpListener, SandboxError> {
        self.sandbox.listen()
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        self.sandbox.read(path, max_bytes)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        self.sandbox.write(path, bytes)
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        self.sandbox.freeze()
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        self.sandbox.changes()
    }

    /// The second one needs room of its own.
    fn fork(&mut self) -> Result<Box<dyn Sandbox>, SandboxError> {
        let room = self.rooms.memory(self.memory_bytes, PATIENCE_WITH_ROOM)?;
        Ok(Box::new(Self::new(self.sandbox.fork()?, room, self.rooms.clone())))
    }

    fn snapshot(&mut self, layer: &Path) -> Result<(), SandboxError> {
        self.sandbox.snapshot(layer)
    }

    fn standing(&mut self) -> Result<Option<Standing>, SandboxError> {
        self.sandbox.standing()
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        let destroyed = self.sandbox.destroy();
        self.room = None;
        destroyed
    }
}
