//! Writes scalars as a TensorBoard event file.
//!
//! The file is a TFRecord file (length, masked CRC-32C of the length, data, masked CRC-32C of the data) whose records are
//! `tensorflow.Event` messages; of these only the fields for scalars, the file version and restarts are written. TensorBoard
//! itself copes with a last record that a killed process left half-written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{StoreError, layout};

/// One event file. A resumed run begins a new one; TensorBoard reads all files of the directory in the order of their names.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Creates the next event file of the run and writes its header.
    pub(super) fn create(run: &Path) -> Result<Self, StoreError> {
        let now = layout::now();
        let name =
            |serial: u32| run.join(format!("events.out.tfevents.{now:010}.basis.{}.{serial}", std::process::id()));
        let path = (0..).map(name).find(|path| !path.exists()).expect("some name is free");
        let file = File::create_new(&path).map_err(|error| StoreError::io(&path, error))?;
        let mut events = Self { path, file };
        // Event.file_version = 3
        events.record(&event(now as f64, 0, &bytes_field(3, b"brain.Event:2")))?;
        Ok(events)
    }

    /// Appends values by tag.
    pub(super) fn scalars(&mut self, time: f64, step: u64, values: &BTreeMap<String, f64>) -> Result<(), StoreError> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            // Summary.value = 1; Value.tag = 1, Value.simple_value = 2 (float)
            let mut entry = bytes_field(1, tag.as_bytes());
            entry.push(2 << 3 | 5);
            entry.extend((*value as f32).to_le_bytes());
            summary.extend(bytes_field(1, &entry));
        }
        // Event.summary = 5
        self.record(&event(time, step, &bytes_field(5, &summary)))
    }

    /// Says that steps from `step` on are written again; TensorBoard forgets what it had read of them.
    pub(super) fn restart(&mut self, step: u64) -> Result<(), StoreError> {
        // Event.session_log = 7, SessionLog.status = 1, START = 1
        self.record(&event(layout::now() as f64, step, &bytes_field(7, &[1 << 3, 1])))
    }

    fn record(&mut self, data: &[u8]) -> Result<(), StoreError> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked(crc32c(&length)).to_le_bytes());
        record.extend(data);
        record.extend(masked(crc32c(data)).to_le_bytes());
        self.file.write_all(&record).map_err(|error| StoreError::io(&self.path, error))
    }
}

/// Event.wall_time = 1 (double), Event.step = 2 (varint), then `rest`.
fn event(time: f64, step: u64, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend(time.to_le_bytes());
    message.push(2 << 3);
    message.extend(varint(step));
    message.extend(rest);
    message
}

fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// CRC-32C (Castagnoli), bit by bit: event files are small.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 })
    })
}

/// TFRecord's mask, so that a checksum of data with checksums in it stays good.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a file into records, checking lengths and checksums.
    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(bytes[8..12], masked(crc32c(&bytes[..8])).to_le_bytes());
            let data = &bytes[12..12 + length];
            assert_eq!(bytes[12 + length..16 + length], masked(crc32c(data)).to_le_bytes());
            found.push(data.to_vec());
            bytes = &bytes[16 + length..];
        }
        found
    }

    fn read(path: &Path) -> Vec<Vec<u8>> {
        records(&std::fs::read(path).unwrap())
    }

    #[test]
    fn checksum_agrees_with_the_published_vector() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn scalars_are_framed_and_tagged() {
        let run = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(run.path()).unwrap();
        events.scalars(1.5, 300, &BTreeMap::from([("loss".to_owned(), 0.25)])).unwrap();
        let records = read(&events.path);
        assert_eq!(records.len(), 2);
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x10, 0xAC, 0x02, 0x2A, 13, 0x0A, 11, 0x0A, 4]);
        expected.extend(b"loss");
        expected.push(0x15);
        expected.extend(0.25f32.to_le_bytes());
        assert_eq!(records[1], expected);
    }

    #[test]
    fn each_opening_gets_its_own_file() {
        let run = tempfile::tempdir().unwrap();
        let first = EventFile::create(run.path()).unwrap();
        let second = EventFile::create(run.path()).unwrap();
        assert_ne!(first.path, second.path);
    }
}
