//! The sandbox of one episode, which exists only when it must.

use std::sync::Arc;

use basis_sandbox::{Change, Command, Outcome, Output, Sandbox, SandboxError, Standing};

use super::Counters;
use super::tree::{Answer, Found, Node, Operation};
use crate::episode::InvalidCause;
use crate::rollout::World;
use crate::task::Task;

/// See the module.
pub(super) struct Shared<'a> {
    world: &'a dyn World,
    counts: &'a Counters,
    task: Task,
    /// Where it is in the tree; `None` when it goes on alone.
    at: Option<Arc<Node>>,
    /// What was written from outside and frozen on the way there: all that a sandbox lacks that was made just now.
    written: Vec<Operation>,
    own: Option<Own<'a>>,
    destroyed: bool,
}

/// A sandbox of its own.
struct Own<'a> {
    sandbox: Box<dyn Sandbox + 'a>,
    /// How many of the operations that write it has carried out.
    done: usize,
    /// What stands in it, if that is known.
    standing: Option<Standing>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(world: &'a dyn World, counts: &'a Counters, task: &Task, root: Arc<Node>) -> Self {
        let (task, written) = (task.clone(), Vec::new());
        Self { world, counts, task, at: Some(root), written, own: None, destroyed: false }
    }

    fn ask(&mut self, operation: Operation) -> Result<Answer, SandboxError> {
        if self.destroyed {
            return Err(SandboxError::Lost("it was destroyed".into()));
        }
        Counters::add(&self.counts.asked);
        let Some(node) = self.at.clone() else { return self.alone(&operation) };
        // Whoever waits holds nothing that the one who is waited for might need.
        let found = node.find(&operation, &mut || self.own = None);
        let lead = match found {
            Found::Shared(answer, next) => {
                self.pass(operation, &answer);
                self.at = Some(next);
                return Ok(answer);
            }
            Found::Alone => {
                let answer = self.alone(&operation);
                self.at = None;
                return answer;
            }
            Found::New(lead) => lead,
        };
        let before = match &operation {
            Operation::Execute(_) => self.standing()?,
            _ => None,
        };
        // Until it is known what came of it.
        self.at = None;
        let answer = self.alone(&operation)?;
        if self.left_nothing(&operation, &answer, before)? {
            self.at = Some(lead.share(&answer));
            self.note(operation, &answer);
        }
        Ok(answer)
    }

    /// Has its own sandbox carry it out, as it stands at this place of the tree.
    fn alone(&mut self, operation: &Operation) -> Result<Answer, SandboxError> {
        Counters::add(&self.counts.done);
        let own = self.own()?;
        if !matches!(operation, Operation::Read { .. } | Operation::Changes) {
            own.standing = None;
        }
        operation.run(own.sandbox.as_mut())
    }

    /// Takes note of an operation that it has not carried out.
    fn pass(&mut self, operation: Operation, answer: &Answer) {
        if writes(&operation, answer) {
            self.written.push(operation);
        }
    }

    /// Takes note of an operation that its own sandbox has carried out.
    fn note(&mut self, operation: Operation, answer: &Answer) {
        if writes(&operation, answer) {
            self.written.push(operation);
            if let Some(own) = &mut self.own {
                own.done = self.written.len();
            }
        }
    }

    /// Whether a new sandbox in which what was written is written again is as this one is now.
    fn left_nothing(
        &mut self,
        operation: &Operation,
        answer: &Answer,
        before: Option<Standing>,
    ) -> Result<bool, SandboxError> {
        match (operation, answer) {
            // A write that was refused may have made directories.
            (Operation::Write { .. }, answer) => Ok(matches!(answer, Answer::Nothing)),
            (Operation::Execute(_), Answer::Output(output)) => {
                let by_itself = matches!(output.outcome, Outcome::Exited(_));
                Ok(by_itself && before.is_some() && self.standing()? == before)
            }
            (Operation::Execute(_), _) => Ok(false),
            (Operation::Read { .. } | Operation::Freeze | Operation::Changes, _) => Ok(true),
        }
    }

    fn standing(&mut self) -> Result<Option<Standing>, SandboxError> {
        let own = self.own()?;
        if own.standing.is_none() {
            own.standing = match own.sandbox.standing() {
                // Backends that cannot tell share no commands. What cannot be looked at now cannot be compared either.
                Err(SandboxError::Unsupported { .. } | SandboxError::System { .. }) => None,
                standing => standing?,
            };
        }
        Ok(own.standing)
    }

    /// A sandbox that is as if everything on the way here had happened in it.
    fn own(&mut self) -> Result<&mut Own<'a>, SandboxError> {
        if self.own.is_none() {
            Counters::add(&self.counts.made);
            let lost = |cause| SandboxError::Lost(reason(cause));
            let sandbox = self.world.sandbox(&self.task).map_err(lost)?;
            self.own = Some(Own { sandbox, done: 0, standing: None });
        }
        let own = self.own.as_mut().expect("was just made");
        for operation in &self.written[own.done..] {
            own.standing = None;
            if let Answer::Refusal(refusal) = operation.run(own.sandbox.as_mut())? {
                let error = SandboxError::from(refusal);
                return Err(SandboxError::Lost(format!("what was written before cannot be written again: {error}")));
            }
            own.done += 1;
        }
        Ok(own)
    }
}

/// Whether a sandbox that was made just now lacks this.
fn writes(operation: &Operation, answer: &Answer) -> bool {
    matches!((operation, answer), (Operation::Write { .. } | Operation::Freeze, Answer::Nothing))
}

fn reason(cause: InvalidCause) -> String {
    match cause {
        InvalidCause::Sandbox(reason)
        | InvalidCause::Model(reason)
        | InvalidCause::Grader(reason)
        | InvalidCause::Task(reason) => reason,
    }
}

fn unexpected<T>(answer: Answer) -> Result<T, SandboxError> {
    match answer {
        Answer::Refusal(refusal) => Err(refusal.into()),
        answer => Err(SandboxError::Lost(format!("it answered {answer:?} out of turn"))),
    }
}

// What agents do not use has the bodies of the trait, which say that it cannot be done.
impl Sandbox for Shared<'_> {
    fn exec(&mut self, command: &Command) -> Result<Output, SandboxError> {
        match self.ask(Operation::from(command))? {
            Answer::Output(output) => Ok(*output),
            answer => unexpected(answer),
        }
    }

    fn read(&mut self, path: &str, max_bytes: u64) -> Result<Vec<u8>, SandboxError> {
        match self.ask(Operation::Read { path: path.to_owned(), max_bytes })? {
            Answer::Bytes(bytes) => Ok(bytes),
            answer => unexpected(answer),
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        match self.ask(Operation::Write { path: path.to_owned(), bytes: bytes.into() })? {
            Answer::Nothing => Ok(()),
            answer => unexpected(answer),
        }
    }

    fn freeze(&mut self) -> Result<(), SandboxError> {
        match self.ask(Operation::Freeze)? {
            Answer::Nothing => Ok(()),
            answer => unexpected(answer),
        }
    }

    fn changes(&mut self) -> Result<Vec<Change>, SandboxError> {
        match self.ask(Operation::Changes)? {
            Answer::Changes(changes) => Ok(changes),
            answer => unexpected(answer),
        }
    }

    fn destroy(&mut self) -> Result<(), SandboxError> {
        self.destroyed = true;
        self.own.take().map_or(Ok(()), |mut own| own.sandbox.destroy())
    }
}
