//! Numbers over time: `metrics.jsonl`, and the same for TensorBoard.
//!
//! A line is `{"step": 3, "time": 1795340585.2, "reward/edit": 0.5, …}`. One step may have several lines. A line that a killed
//! process left half-written is cut off when the run is opened again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::tensorboard::EventFile;
use super::{StoreError, layout, manifest};

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsRow {
    /// Step, mostly the iteration of training.
    pub step: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// Values by name; `/` in a name groups it in TensorBoard. Values that are not finite are left out.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

/// Appends to both files.
pub(super) struct Metrics {
    run: PathBuf,
    lines: File,
    events: Option<EventFile>,
}

impl Metrics {
    /// Opens `metrics.jsonl`, cutting off a half-written last line. The event file is made with the first numbers.
    pub(super) fn open(run: &Path) -> Result<Self, StoreError> {
        let path = layout::metrics(run);
        let wrap = |error| StoreError::io(&path, error);
        let lines = OpenOptions::new().create(true).append(true).open(&path).map_err(wrap)?;
        let text = std::fs::read(&path).map_err(wrap)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        lines.set_len(whole as u64).map_err(wrap)?;
        Ok(Self { run: run.to_path_buf(), lines, events: None })
    }

    /// Appends one line and one event.
    pub(super) fn append(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), StoreError> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64());
        let finite = values.iter().filter(|(_, value)| value.is_finite());
        let row = MetricsRow { step, time, values: finite.map(|(name, value)| ((*name).to_owned(), *value)).collect() };
        self.append_line(&row)?;
        self.events()?.scalars(time, step, &row.values)
    }

    /// Drops what was written for steps after `last`, and of `last` itself all lines but the first, which belong to what comes after the
    /// step: a resumed run will write them again.
    pub(super) fn rewind(&mut self, last: Option<u64>) -> Result<(), StoreError> {
        let path = layout::metrics(&self.run);
        let mut is_first = true;
        let mut kept = |row: &MetricsRow| match last {
            Some(last) if row.step == last => std::mem::take(&mut is_first),
            last => last.is_some_and(|last| row.step < last),
        };
        let text: String = read(&self.run)?.iter().filter(|row| kept(row)).map(line).collect();
        manifest::write_atomically(&path, text.as_bytes())?;
        self.lines = OpenOptions::new().append(true).open(&path).map_err(|error| StoreError::io(&path, error))?;
        self.events()?.restart(last.map_or(0, |last| last + 1))
    }

    /// A write that fails half-way (a full disk) must not leave half a line for the next one to be glued to.
    fn append_line(&mut self, row: &MetricsRow) -> Result<(), StoreError> {
        let path = layout::metrics(&self.run);
        let before = self.lines.metadata().map_err(|error| StoreError::io(&path, error))?.len();
        self.lines.write_all(line(row).as_bytes()).map_err(|error| {
            let _ = self.lines.set_len(before);
            StoreError::io(&path, error)
        })
    }

    fn events(&mut self) -> Result<&mut EventFile, StoreError> {
        if self.events.is_none() {
            self.events = Some(EventFile::create(&self.run)?);
        }
        Ok(self.events.as_mut().expect("just set"))
    }
}

/// All lines; a half-written last one is left out.
pub(super) fn read(run: &Path) -> Result<Vec<MetricsRow>, StoreError> {
    let path = layout::metrics(run);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    let whole = text.rfind('\n').map_or("", |newline| &text[..newline]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| StoreError::Damaged { path: path.clone(), reason: format!("line {}: {error}", index + 1) })
    };
    whole.lines().enumerate().map(parse).collect()
}

fn line(row: &MetricsRow) -> String {
    serde_json::to_string(row).expect("values are finite and keys are strings") + "\n"
}
