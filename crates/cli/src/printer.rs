//! The only place that prints: data to standard output, talk to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use indicatif::MultiProgress;
use serde::Serialize;

use crate::exit::{Failure, Kind};
use crate::progress::Progress;

/// Prints what commands say.
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    colours: Colours,
    bars: MultiProgress,
    /// The first failure to write data; reported once, at the end.
    failed: Mutex<Option<io::Error>>,
}

/// Whether each stream shows colours: it is a terminal and NO_COLOR is not set.
struct Colours {
    stdout: bool,
    stderr: bool,
}

/// How a piece of data looks on a terminal. Colour never carries meaning alone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// Headings.
    Bold,
    /// Side remarks.
    Dim,
    /// Good.
    Green,
    /// Bad.
    Red,
    /// Deserves a look.
    Yellow,
}

impl Printer {
    /// Looks at the terminal and at NO_COLOR once.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colours =
            Colours { stdout: wanted && io::stdout().is_terminal(), stderr: wanted && io::stderr().is_terminal() };
        Self { json, quiet, colours, bars: MultiProgress::new(), failed: Mutex::new(None) }
    }

    /// Whether data is wanted as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a piece of data for people.
    pub(crate) fn data(&self, text: impl Display) {
        self.write(&format!("{text}\n"));
    }

    /// Prints a piece of data for programs, on one line.
    pub(crate) fn json(&self, value: &impl Serialize) {
        self.data(serde_json::to_string(value).expect("data has only string keys"));
    }

    /// Tells people what goes on.
    pub(crate) fn say(&self, text: impl Display) {
        if !self.quiet {
            self.talk(&text.to_string());
        }
    }

    /// The same for threads that outlive this borrow.
    pub(crate) fn aside(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (quiet, bars) = (self.quiet, self.bars.clone());
        move |text| {
            if !quiet {
                bars.suspend(|| drop(writeln!(io::stderr().lock(), "{text}")));
            }
        }
    }

    /// Tells people what they should act on.
    pub(crate) fn warn(&self, text: impl Display) {
        self.talk(&format!("{} {text}", paint(self.colours.stderr, Style::Yellow, "warning:")));
    }

    /// Shows how far something is, with rate and time left: a bar on a terminal, a line now and then elsewhere.
    pub(crate) fn progress(&self, label: &str, total: u64) -> Progress {
        if self.quiet {
            Progress::silent()
        } else if io::stderr().is_terminal() {
            Progress::bar(&self.bars, label, total)
        } else {
            Progress::lines(label, total)
        }
    }

    /// Prints why a command failed: one line, and the next step if one is known.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.talk(&format!("{} {failure}", paint(self.colours.stderr, Style::Red, "error:")));
        if let Some(hint) = failure.next_step() {
            self.talk(&format!("{} {hint}", paint(self.colours.stderr, Style::Bold, "hint:")));
        }
    }

    /// Data with a style, if standard output shows styles.
    pub(crate) fn styled(&self, style: Style, text: impl Display) -> String {
        paint(self.colours.stdout, style, text)
    }

    /// Fails when data could not be written. A reader that went away (`basis show … | head`) is no failure.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.failed.lock().expect("no thread panics while it writes").take() {
            Some(error) => Err(Failure::new(Kind::Machine, format!("standard output: {error}"))),
            None => Ok(()),
        }
    }

    fn write(&self, text: &str) {
        let outcome = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        });
        if let Err(error) = outcome
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed.lock().expect("no thread panics while it writes").get_or_insert(error);
        }
    }

    /// Nobody can be told that standard error is gone.
    fn talk(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }
}

fn paint(wanted: bool, style: Style, text: impl Display) -> String {
    if !wanted {
        return text.to_string();
    }
    let code = match style {
        Style::Bold => 1,
        Style::Dim => 2,
        Style::Red => 31,
        Style::Green => 32,
        Style::Yellow => 33,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
